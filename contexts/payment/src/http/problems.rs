//! The one place where refusals become problems.

use axum::http::StatusCode;
use cleave_web::Problem;

use crate::domain::RefundRefusal;

impl From<RefundRefusal> for Problem {
    fn from(refusal: RefundRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            RefundRefusal::NoSuchPayment => Self::not_found(),
            RefundRefusal::ExceedsCharge { left } => {
                Self::conflict("refund_exceeds_charge", detail).with("left", left)
            }
            RefundRefusal::NotSettled(_) => Self::conflict("payment_not_settled", detail),
            RefundRefusal::GatewayRefused => Self::conflict("refund_refused", detail),
            RefundRefusal::WrongCurrency(_) => {
                Self::invalid_field("amount.currency", "currency_mismatch", detail)
            }
            RefundRefusal::NotPositive => {
                Self::invalid_field("amount.amount", "out_of_range", detail)
            }
            RefundRefusal::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                detail,
            ),
        }
    }
}
