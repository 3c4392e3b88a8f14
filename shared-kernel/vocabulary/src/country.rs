//! Countries as addresses name them. The one list of codes, because an order's
//! address and a customer's are held to the same rule. It says nothing of where
//! anyone ships to.

/// The officially assigned codes of ISO 3166-1 alpha-2.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL \
BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK \
DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU \
GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ \
LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY \
MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU \
RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO \
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// Whether `code` is an ISO 3166-1 alpha-2 code in use; upper case only.
pub fn is_country(code: &str) -> bool {
    let code = code.as_bytes();
    code.len() == 2 && CODES.as_bytes().chunks(3).any(|known| known[..2] == *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_standards() {
        assert_eq!(CODES.split(' ').count(), 249);
        assert!(CODES.split(' ').is_sorted_by(|a, b| a < b));
        assert!(CODES.split(' ').all(|code| code.len() == 2));
    }

    #[test]
    fn only_assigned_codes_are_countries() {
        for code in ["GB", "DE", "US", "AX", "ZW"] {
            assert!(is_country(code), "{code}");
        }
        for code in ["", "G", "gb", "UK", "GBR", "XX", "D ", " D", "E\u{301}"] {
            assert!(!is_country(code), "{code}");
        }
    }
}
