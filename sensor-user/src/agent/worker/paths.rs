//! Where paths lead that opens were told by.
//!
//! What an open without completion has not used yet is followed at once, for what it leads to now is most likely what it will lead to, and again when it has run. Only then
//! is it told.

use super::*;
use crate::{agent::messages::Run, attribute::secret_of, kernel::LeftOpen};

impl State {
    /// Follows a path; nothing where that is to be done again when it has been used.
    pub(super) fn take_up_path(&mut self, mut following: Following) -> Option<Answer> {
        let reached = match following.run {
            Run::Done => self.follow(&following),
            Run::Unseen => self.follow_early(&following).unwrap_or(Reached::NotUsed),
            Run::ToCome => match self.look_for(&mut following) {
                LeftOpen::HasRun => self.follow(&following),
                LeftOpen::Failed => Reached::NeverUsed,
                LeftOpen::ToRun => {
                    let early = self.follow_early(&following);
                    let (following, early) = self.lates.take(following, early, Instant::now())?;
                    return Some(answer(&following, early.unwrap_or(Reached::NotUsed)));
                }
            },
        };
        Some(answer(&following, reached))
    }

    /// Follows those that have waited and are used now.
    pub(super) fn look_for_late(&mut self) -> Vec<Answer> {
        let now = Instant::now();
        if self.lates.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let left_opens = &mut self.labelling.labeller.left_opens;
        let mut failed = Vec::new();
        let looked_ns = BootClock::read().since_boot_ns();
        left_opens.look();
        let over = self
            .lates
            .over(now, |following| match left_opens.take(following.submitted_ns) {
                LeftOpen::ToRun => {
                    following.time_boot_ns = looked_ns;
                    false
                }
                LeftOpen::HasRun => true,
                LeftOpen::Failed => {
                    failed.push(following.number);
                    true
                }
            });
        over.into_iter()
            .map(|(following, early)| {
                let reached = match failed.contains(&following.number) {
                    true => Reached::NeverUsed,
                    false => {
                        let now = self.follow(&following);
                        // On the way something may have been changed since.
                        if is_to_tell(&now) {
                            now
                        } else {
                            early.unwrap_or(now)
                        }
                    }
                };
                answer(&following, reached)
            })
            .collect()
    }

    /// Whether an open has run. While it has not, its path has not been used before now.
    fn look_for(&mut self, following: &mut Following) -> LeftOpen {
        let left_opens = &mut self.labelling.labeller.left_opens;
        let looked_ns = BootClock::read().since_boot_ns();
        left_opens.look();
        let found = left_opens.take(following.submitted_ns);
        if found == LeftOpen::ToRun {
            following.time_boot_ns = looked_ns;
        }
        found
    }

    /// Where a path leads that is not used yet, if that is to be told.
    fn follow_early(&mut self, following: &Following) -> Option<Reached> {
        Some(self.follow(following)).filter(is_to_tell)
    }

    /// Where a path leads for a process. What is no credential is opened, so that the kernel half says what it is, and not read.
    fn follow(&mut self, following: &Following) -> Reached {
        let Labelling {
            hands,
            labeller,
            knowledge,
            ..
        } = &mut self.labelling;
        let &Following {
            process,
            tid,
            tree,
            time_boot_ns,
            is_base_sure,
            is_from_outside,
            ref path,
            ref words,
            ..
        } = following;
        let at = if is_from_outside {
            path.clone()
        } else {
            SeenFrom::Process(process).reach(path)
        };
        let theirs = path.clone();
        let followed = hands.run(&at, move |_| {
            let mut followed = follow(process, tid, tree, &theirs, is_from_outside);
            let lies_in = followed.lies_in();
            let secret = match &followed.leads {
                Leads::To(held) => secret_of(held.descriptor(), lies_in.as_ref(), process),
                _ => None,
            };
            (followed, secret)
        });
        let Ok((followed, secret)) = followed else {
            return Reached::Unknown;
        };
        if let Some((part, target)) = secret {
            return Reached::Secret(part, target);
        }
        let is_sure = is_base_sure && followed.stood_at(BootClock::read().wall(time_boot_ns));
        let held = match followed.leads {
            Leads::To(held) => held,
            Leads::Nowhere if is_sure => return Reached::Nowhere,
            Leads::Nowhere => return Reached::Changed,
            Leads::Unknown => return Reached::Unknown,
        };
        let seen = held.seen();
        let asked = hands.ask(labeller, Purpose::Identify, &at, move || Opened::of(&held));
        let found = match asked {
            Ok((Ok(opened), Some(object))) => {
                let meaning = labeller
                    .label_of(object)
                    .and_then(|label| knowledge.labels().meaning(label.id).cloned());
                match meaning {
                    Some(Meaning::Sensor { path }) => return Reached::Own { path, object },
                    Some(Meaning::Credential { entry, path }) => Some((entry, path)),
                    Some(Meaning::Directory { .. }) => knowledge.placed().get(object),
                    None => None,
                }
                .map(|(entry, path)| (opened, object, entry, path))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(error = %error, "asking the kernel half failed");
                return Reached::Unknown;
            }
        };
        if let Some((opened, object, entry, path)) = found {
            let parsed = self.public.of_file((hands, &at), object, &entry, &path, opened);
            return Reached::Credential {
                entry,
                object,
                parsed,
            };
        }
        if !is_sure {
            return Reached::Changed;
        }
        let here = words.clone();
        let means_the_same = hands.run(words, move |_| {
            let root = SeenFrom::Here.hold()?;
            Some(Held::at(root, &here).ok()?.seen() == seen)
        });
        Reached::Other {
            means_the_same: means_the_same == Ok(Some(true)),
        }
    }
}

fn is_to_tell(reached: &Reached) -> bool {
    matches!(
        reached,
        Reached::Credential { .. } | Reached::Secret(..) | Reached::Own { .. }
    )
}

fn answer(following: &Following, reached: Reached) -> Answer {
    Answer::Reached {
        number: following.number,
        reached,
    }
}
