//! Medians and how far values lie apart. Pure.

use serde::Serialize;

/// Where the middle half of some values lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) first_quartile: f64,
    pub(crate) third_quartile: f64,
    pub(crate) values: usize,
}

impl Spread {
    /// Nothing of no values. What is no number is left out.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            median: at(&values, 0.5)?,
            first_quartile: at(&values, 0.25)?,
            third_quartile: at(&values, 0.75)?,
            values: values.len(),
        })
    }
}

/// The value at a share of the way through sorted values, between two where it falls between them.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "few values, and a share from 0 to 1 of the last place"
)]
fn at(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = place.floor();
    let low = sorted[below as usize];
    let high = sorted[place.ceil() as usize];
    Some(low + (high - low) * (place - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_where_they_should() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]).expect("values");
        assert_eq!(
            (spread.first_quartile, spread.median, spread.third_quartile),
            (2.0, 3.0, 4.0)
        );
        let spread = Spread::of([1.0, 2.0]).expect("values");
        assert_eq!(
            (spread.first_quartile, spread.median, spread.third_quartile),
            (1.25, 1.5, 1.75)
        );
        assert_eq!(Spread::of([7.0]).expect("a value").median, 7.0);
    }

    #[test]
    fn an_outlier_moves_nothing() {
        let quiet = Spread::of([1.0, 2.0, 3.0, 4.0, 5.0]).expect("values");
        let noisy = Spread::of([1.0, 2.0, 3.0, 4.0, 5.0e9]).expect("values");
        assert_eq!(quiet.median, noisy.median);
    }

    #[test]
    fn no_values_have_no_middle() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
    }
}
