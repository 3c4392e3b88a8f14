//! A definition, looked over once when it is registered: what the engine needs
//! to know of its steps without asking them again.

use crate::{Definition, EngineOptions, Step, StepKind, StepPolicy};

/// Why a definition was not registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("saga {kind} version {version}: {reason}")]
pub struct DefinitionError {
    /// Of which kind.
    pub kind: &'static str,
    /// Of which version.
    pub version: u32,
    /// What is wrong with it.
    pub reason: String,
}

/// What there is to know of a step.
#[derive(Debug, Clone)]
pub(crate) struct StepMeta {
    pub(crate) name: &'static str,
    pub(crate) undo_name: &'static str,
    pub(crate) kind: StepKind,
    pub(crate) policy: StepPolicy,
}

/// A definition as the engine uses it.
pub(crate) struct Plan<T> {
    pub(crate) kind: &'static str,
    pub(crate) version: u32,
    pub(crate) steps: Vec<Box<dyn Step<T>>>,
    pub(crate) metas: Vec<StepMeta>,
}

impl<T: Send + Sync + 'static> Plan<T> {
    /// Looks a definition over.
    pub(crate) fn of<D: Definition<Data = T>>(
        definition: &D,
        options: &EngineOptions,
    ) -> Result<Self, DefinitionError> {
        let steps = definition.steps();
        let metas: Vec<_> = steps.iter().map(|step| meta(step.as_ref())).collect();
        match check(&metas, options) {
            Ok(()) => Ok(Self {
                kind: D::KIND,
                version: D::VERSION,
                steps,
                metas,
            }),
            Err(reason) => Err(DefinitionError {
                kind: D::KIND,
                version: D::VERSION,
                reason,
            }),
        }
    }
}

fn meta<T: Send + Sync + 'static>(step: &dyn Step<T>) -> StepMeta {
    StepMeta {
        name: step.name(),
        undo_name: step.undo_name(),
        kind: step.kind(),
        policy: step.policy(),
    }
}

/// Steps that can be undone, then at most one pivot, then steps that are retried
/// until they are done; each known by its name, and none outliving a claim.
fn check(metas: &[StepMeta], options: &EngineOptions) -> Result<(), String> {
    if metas.is_empty() {
        return Err("it has no steps".into());
    }
    let mut pivot_passed = false;
    let mut names = std::collections::HashSet::new();
    for StepMeta {
        name,
        undo_name,
        kind,
        policy,
    } in metas
    {
        if !names.insert(name) || !names.insert(undo_name) {
            return Err(format!("the name of step {name} or of its undo is taken"));
        }
        match (kind, pivot_passed) {
            (StepKind::Compensatable | StepKind::Pivot, true) => {
                return Err(format!(
                    "step {name} stands behind the pivot, so it must be retriable"
                ));
            }
            (StepKind::Retriable, false) => {
                return Err(format!(
                    "step {name} is retriable, so it must stand behind the pivot"
                ));
            }
            _ => pivot_passed |= *kind == StepKind::Pivot,
        }
        if policy.attempts == 0 {
            return Err(format!("step {name} is allowed no attempt"));
        }
        if policy.time_limit >= options.lease {
            return Err(format!(
                "step {name} may take {:?}, which a lease of {:?} does not outlive",
                policy.time_limit, options.lease
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use StepKind::{Compensatable, Pivot, Retriable};

    fn metas(kinds: &[StepKind]) -> Vec<StepMeta> {
        let names = [("a", "-a"), ("b", "-b"), ("c", "-c"), ("d", "-d")];
        let step =
            |(kind, (name, undo_name)): (&StepKind, (&'static str, &'static str))| StepMeta {
                name,
                undo_name,
                kind: *kind,
                policy: StepPolicy::default(),
            };
        kinds.iter().zip(names).map(step).collect()
    }

    #[test]
    fn a_pivot_parts_what_can_be_undone_from_what_must_be_done() {
        let options = EngineOptions::default();
        for good in [
            &[Compensatable][..],
            &[Compensatable, Compensatable, Pivot],
            &[Pivot, Retriable],
            &[Compensatable, Pivot, Retriable, Retriable],
        ] {
            assert_eq!(check(&metas(good), &options), Ok(()), "{good:?}");
        }
        for bad in [
            &[][..],
            &[Compensatable, Retriable],
            &[Pivot, Compensatable],
            &[Pivot, Pivot],
            &[Pivot, Retriable, Compensatable],
        ] {
            assert!(check(&metas(bad), &options).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_are_the_steps_own_and_leases_outlive_them() {
        let options = EngineOptions::default();
        let mut twice = metas(&[Compensatable, Pivot]);
        twice[1].undo_name = twice[0].name;
        assert!(check(&twice, &options).is_err());
        let mut slow = metas(&[Pivot]);
        slow[0].policy.time_limit = options.lease;
        assert!(check(&slow, &options).is_err());
        slow[0].policy.time_limit = options.lease.saturating_sub(Duration::from_millis(1));
        assert_eq!(check(&slow, &options), Ok(()));
        slow[0].policy.attempts = 0;
        assert!(check(&slow, &options).is_err());
    }
}
