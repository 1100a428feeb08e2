//! The Mann–Whitney U test: whether two samples come from one distribution, whatever that is.

/// Two-sided p, by the normal approximation with the correction for ties; good from twenty values on.
pub fn separation(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = a.iter().map(|value| (*value, true)).chain(b.iter().map(|value| (*value, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut rank_sum, mut ties) = (0.0, 0.0);
    let mut first = 0;
    while first < all.len() {
        let equal = all[first..].iter().take_while(|(value, _)| *value == all[first].0).count();
        let rank = (2 * first + equal + 1) as f64 / 2.0;
        rank_sum += rank * all[first..first + equal].iter().filter(|(_, is_a)| *is_a).count() as f64;
        ties += (equal as f64).powi(3) - equal as f64;
        first += equal;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let total = n + m;
    let u = rank_sum - n * (n + 1.0) / 2.0;
    let deviation = (n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)))).sqrt();
    let z = ((u - n * m / 2.0).abs() - 0.5).max(0.0) / deviation;
    2.0 * upper_tail(z)
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// P(Z > z) for z >= 0 (Abramowitz and Stegun 26.2.17, error below 1e-7).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let series = t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_apart_is_told_from_what_is_not() {
        let a: Vec<f64> = (0..100).map(f64::from).collect();
        let shifted: Vec<f64> = a.iter().map(|value| value + 0.5).collect();
        let far: Vec<f64> = a.iter().map(|value| value + 30.0).collect();
        assert!(separation(&a, &a) > 0.99);
        assert!(separation(&a, &shifted) > 0.8);
        assert!(separation(&a, &far) < 1e-6);
        assert!((upper_tail(1.959_964) - 0.025).abs() < 1e-6);
    }
}
