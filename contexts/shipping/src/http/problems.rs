//! The one place where refusals become problems.

use cleave_web::Problem;

use crate::application::MoveRefusal;

impl From<MoveRefusal> for Problem {
    fn from(refusal: MoveRefusal) -> Self {
        match refusal {
            MoveRefusal::NoSuchShipment => Self::not_found(),
            MoveRefusal::Invalid(invalid) => {
                Self::conflict("invalid_transition", invalid.to_string())
            }
            MoveRefusal::Contended => Self::unavailable(&refusal),
        }
    }
}
