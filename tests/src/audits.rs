//! What audits find, and what gives them something to find.

use cleave_hosting::{AuditCheck, Auditor};
use cleave_store::{Store, Tx, Unit};
use sea_orm::ConnectionTrait as _;

/// Does to a database what the program never would.
///
/// # Panics
/// Where the database won't have it.
pub async fn tamper(store: &Store, sql: &str) {
    let sql = crate::stores::tampering(sql);
    let unit = async move |tx: &Tx| -> Unit<()> {
        tx.execute_unprepared(&sql).await?;
        Ok(())
    };
    store.write(unit).await.expect("tampered");
}

/// The names of the checks that are broken.
///
/// # Panics
/// Where there is no audit.
pub async fn broken(auditor: &dyn Auditor) -> Vec<String> {
    let checks = auditor.audit().await.expect("an audit").into_iter();
    let broken = checks.filter(|check| !check.violations.is_empty());
    broken.map(|check| check.name).collect()
}

/// Each check by its name, and how much it has looked at.
pub fn looked(checks: &[AuditCheck]) -> Vec<(&str, u64)> {
    let checks = checks.iter();
    checks
        .map(|check| (check.name.as_str(), check.checked))
        .collect()
}

/// Demands that every invariant holds.
///
/// # Panics
/// Where one does not.
pub async fn demand_sound(auditor: &dyn Auditor) {
    for check in auditor.audit().await.expect("an audit") {
        assert!(check.violations.is_empty(), "{check:?}");
    }
}
