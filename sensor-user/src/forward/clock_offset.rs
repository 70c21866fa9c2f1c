//! How far this host's clock is from the detector's. Pure.

/// Beyond this the offset is said: half the tolerance of most protocols that check times.
const WORTH_SAYING_MS: i64 = 300_000;

/// Watches the offset.
#[derive(Debug, Default)]
pub(super) struct ClockOffset {
    said: bool,
}

impl ClockOffset {
    /// Takes a reading, positive where this host is ahead. Gives a sentence when it goes out of bounds, once until it was back.
    pub(super) fn observe(&mut self, offset_ms: i64) -> Option<String> {
        let is_off = offset_ms.unsigned_abs() > WORTH_SAYING_MS.unsigned_abs();
        let is_new = is_off && !self.said;
        self.said = is_off;
        is_new.then(|| in_words(offset_ms))
    }
}

fn in_words(offset_ms: i64) -> String {
    let seconds = offset_ms.unsigned_abs() / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let amount = match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    };
    let side = if offset_ms > 0 { "ahead of" } else { "behind" };
    format!(
        "this host's clock is {amount} {side} the detector's: one of them is wrong, and so are the times of events; set the clock"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_until_it_was_right_again() {
        let mut clock = ClockOffset::default();
        assert_eq!(clock.observe(300_000), None);
        let said = clock.observe(3_600_000).expect("said");
        assert!(said.contains("1 h 0 min ahead of the detector's"), "{said}");
        assert_eq!(clock.observe(3_600_000), None);
        assert_eq!(clock.observe(0), None);
        assert!(
            clock
                .observe(-90_000_000)
                .expect("said again")
                .contains("1 d 1 h behind")
        );
        assert_eq!(
            ClockOffset::default()
                .observe(i64::MIN)
                .map(|said| said.is_empty()),
            Some(false)
        );
    }
}
