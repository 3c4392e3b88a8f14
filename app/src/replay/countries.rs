//! The countries of the recorded orders: English names, as the shop wrote them.

/// The ISO 3166-1 alpha-2 code of a name, or of what is such a code already.
pub(super) fn code(name: &str) -> Option<&'static str> {
    let listed = NAMES
        .iter()
        .find(|(known, code)| known.eq_ignore_ascii_case(name) || *code == name);
    listed.map(|(_, code)| *code)
}

/// Names that are no country stand for the shop's own: it did not know better either.
const NAMES: [(&str, &str); 40] = [
    ("Australia", "AU"),
    ("Austria", "AT"),
    ("Bahrain", "BH"),
    ("Belgium", "BE"),
    ("Brazil", "BR"),
    ("Canada", "CA"),
    ("Channel Islands", "JE"),
    ("Cyprus", "CY"),
    ("Czech Republic", "CZ"),
    ("Denmark", "DK"),
    ("EIRE", "IE"),
    ("European Community", "GB"),
    ("Finland", "FI"),
    ("France", "FR"),
    ("Germany", "DE"),
    ("Greece", "GR"),
    ("Hong Kong", "HK"),
    ("Iceland", "IS"),
    ("Ireland", "IE"),
    ("Israel", "IL"),
    ("Italy", "IT"),
    ("Japan", "JP"),
    ("Lebanon", "LB"),
    ("Lithuania", "LT"),
    ("Malta", "MT"),
    ("Netherlands", "NL"),
    ("Norway", "NO"),
    ("Poland", "PL"),
    ("Portugal", "PT"),
    ("RSA", "ZA"),
    ("Saudi Arabia", "SA"),
    ("Singapore", "SG"),
    ("Spain", "ES"),
    ("Sweden", "SE"),
    ("Switzerland", "CH"),
    ("USA", "US"),
    ("United Arab Emirates", "AE"),
    ("United Kingdom", "GB"),
    ("Unspecified", "GB"),
    ("South Africa", "ZA"),
];
