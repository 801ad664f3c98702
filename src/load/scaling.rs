//! How throughput grows with those who ask for it: the universal scalability law, fitted to what was measured.
//!
//! N. J. Gunther, *Guerrilla Capacity Planning*, 2007, chapter 4: `X(N) = λN / (1 + σ(N − 1) + κN(N − 1))`, where λ is what
//! one gets through alone, σ the share of work that is done in turns, and κ the cost of agreeing with each other. Written
//! as `N / X` it is linear in its coefficients, so the best fit needs no guess to begin with. How sure it is comes from
//! fitting it again to points whose distances from the curve have been dealt out anew. A law that fits is no promise
//! beyond the points that it was fitted to, and nothing here answers for any.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fit has three coefficients, so that fewer points than this say nothing about how good it is.
const LEAST_POINTS: usize = 4;
/// How often the distances are dealt out anew.
const RESAMPLES: usize = 400;
/// The share of these that is left out at either end.
const TAIL: f64 = 0.05;

/// A value, and where nine in ten fits to points dealt out anew have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The best.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A law that was fitted to points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fit {
    /// What one gets through alone, a second: λ.
    pub lambda: Estimate,
    /// The share of the work that is done in turns: σ.
    pub sigma: Estimate,
    /// The cost of agreeing with each other: κ.
    pub kappa: Estimate,
    /// How many get the most through; none where more never get less through, in nine fits of ten.
    pub peak_at: Option<Estimate>,
    /// How much the most is, a second; within what was measured.
    pub most_per_s: Estimate,
    /// How far the farthest point lies from the curve, as a share of it.
    pub misfit: f64,
    /// How many points it was fitted to.
    pub points: usize,
    /// The fewest and the most who were measured: it says nothing of fewer or more.
    pub from: f64,
    /// See above.
    pub to: f64,
}

/// The coefficients of `N / X = a + b(N − 1) + cN(N − 1)`.
#[derive(Debug, Clone, Copy)]
struct Line([f64; 3]);

impl Line {
    fn at(self, n: f64) -> f64 {
        let Line([a, b, c]) = self;
        a + b * (n - 1.0) + c * n * (n - 1.0)
    }

    fn throughput(self, n: f64) -> f64 {
        n / self.at(n)
    }

    fn lambda(self) -> f64 {
        1.0 / self.0[0]
    }

    fn sigma(self) -> f64 {
        self.0[1] / self.0[0]
    }

    fn kappa(self) -> f64 {
        self.0[2] / self.0[0]
    }

    fn peak(self) -> f64 {
        let (sigma, kappa) = (self.sigma(), self.kappa());
        if kappa > 0.0 { ((1.0 - sigma).max(0.0) / kappa).sqrt().max(1.0) } else { f64::INFINITY }
    }

    /// The most that is got through from one number to another.
    fn most(self, from: f64, to: f64) -> f64 {
        self.throughput(self.peak().clamp(from, to))
    }
}

impl Fit {
    /// What so many get through by the best fit; none outside of what was measured.
    pub fn throughput(&self, n: f64) -> Option<f64> {
        let (sigma, kappa) = (self.sigma.value, self.kappa.value);
        let within = n >= self.from && n <= self.to;
        within.then(|| self.lambda.value * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)))
    }
}

/// Fits the law to points: how many, and what they got through a second. None where there are too few that differ.
pub fn fit(points: &[(f64, f64)]) -> Option<Fit> {
    let points: Vec<(f64, f64)> = points.iter().copied().filter(|(n, x)| *n >= 1.0 && *x > 0.0).collect();
    let mut numbers: Vec<f64> = points.iter().map(|(n, _)| *n).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    if numbers.len() < LEAST_POINTS {
        return None;
    }
    let (from, to) = (*numbers.first()?, *numbers.last()?);
    let best = line(&points)?;
    // Residuals of a fit are smaller than errors, by the coefficients that it was free to choose.
    let freedom = (points.len() as f64 / (points.len() - 3) as f64).sqrt();
    let distances: Vec<f64> = points.iter().map(|(n, x)| (n / x / best.at(*n) - 1.0) * freedom).collect();
    let mut random = StdRng::seed_from_u64(0x0075_736c);
    let mut again = Vec::new();
    for _ in 0..RESAMPLES {
        let dealt: Vec<(f64, f64)> = points
            .iter()
            .map(|(n, _)| {
                let distance = distances[random.random_range(0..distances.len())];
                (*n, n / (best.at(*n) * (1.0 + distance).max(0.01)))
            })
            .collect();
        again.extend(line(&dealt));
    }
    let estimate = |of: &dyn Fn(Line) -> f64| {
        let mut all: Vec<f64> = again.iter().map(|line| of(*line)).collect();
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all.get(((all.len() as f64 - 1.0) * share).round() as usize).copied();
        let value = of(best);
        let (low, high) = (at(TAIL).unwrap_or(value), at(1.0 - TAIL).unwrap_or(value));
        Estimate { value, low: low.min(value), high: high.max(value) }
    };
    let peak = estimate(&Line::peak);
    let misfit = points.iter().map(|(n, x)| (x / best.throughput(*n) - 1.0).abs()).fold(0.0, f64::max);
    Some(Fit {
        lambda: estimate(&Line::lambda),
        sigma: estimate(&Line::sigma),
        kappa: estimate(&Line::kappa),
        peak_at: (peak.high.is_finite() && peak.value.is_finite()).then_some(peak),
        most_per_s: estimate(&|line: Line| line.most(from, to)),
        misfit,
        points: points.len(),
        from,
        to,
    })
}

/// The best line whose coefficients are not negative, by relative distance: of every choice of those that are zero, the
/// best that needs no negative one.
fn line(points: &[(f64, f64)]) -> Option<Line> {
    let choices: [&[usize]; 4] = [&[0, 1, 2], &[0, 1], &[0, 2], &[0]];
    let mut best: Option<(f64, Line)> = None;
    for chosen in choices {
        let Some(line) = least_squares(points, chosen) else { continue };
        if line.0[0] <= 0.0 || line.0.iter().any(|coefficient| *coefficient < 0.0) {
            continue;
        }
        let error: f64 = points.iter().map(|(n, x)| (line.at(*n) * x / n - 1.0).powi(2)).sum();
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, line));
        }
    }
    best.map(|(_, line)| line)
}

/// Solves the normal equations of the chosen coefficients by elimination.
fn least_squares(points: &[(f64, f64)], chosen: &[usize]) -> Option<Line> {
    let basis = |n: f64| [1.0, n - 1.0, n * (n - 1.0)];
    let size = chosen.len();
    let mut rows = vec![vec![0.0; size + 1]; size];
    for (n, x) in points {
        // Each equation is divided by what it should come to, so that all are of one size.
        let terms: Vec<f64> = chosen.iter().map(|at| basis(*n)[*at] * x / n).collect();
        for (row, left) in rows.iter_mut().zip(&terms) {
            for (cell, right) in row.iter_mut().zip(terms.iter().chain([&1.0])) {
                *cell += left * right;
            }
        }
    }
    for at in 0..size {
        let pivot = (at..size).max_by(|one, other| rows[*one][at].abs().total_cmp(&rows[*other][at].abs()))?;
        rows.swap(at, pivot);
        let leading = rows[at].clone();
        if leading[at].abs() < 1e-300 {
            return None;
        }
        for (_, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            let factor = row[at] / leading[at];
            for (cell, own) in row.iter_mut().zip(&leading) {
                *cell -= factor * own;
            }
        }
    }
    let mut line = [0.0; 3];
    for (at, coefficient) in chosen.iter().enumerate() {
        line[*coefficient] = rows[at][size] / rows[at][at];
    }
    line.iter().all(|value| value.is_finite()).then_some(Line(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn law(lambda: f64, sigma: f64, kappa: f64, n: f64) -> f64 {
        lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
    }

    const NUMBERS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

    #[test]
    fn what_follows_the_law_is_found_again_and_its_peak() {
        let points = NUMBERS.map(|n| (n, law(1_000.0, 0.02, 0.000_5, n)));
        let fit = fit(&points).expect("it fits");
        let near = |value: f64, wanted: f64| (value / wanted - 1.0).abs() < 1e-6;
        assert!(
            near(fit.lambda.value, 1_000.0) && near(fit.sigma.value, 0.02) && near(fit.kappa.value, 0.000_5),
            "{fit:?}"
        );
        assert!(near(fit.peak_at.expect("a peak").value, (0.98_f64 / 0.000_5).sqrt()), "{fit:?}");
        assert!(fit.misfit < 1e-9);
        assert_eq!(fit.throughput(65.0), None);
        assert!(near(fit.throughput(20.0).expect("within"), law(1_000.0, 0.02, 0.000_5, 20.0)));
    }

    #[test]
    fn what_only_saturates_has_no_peak_and_no_negative_coefficient() {
        let fit = fit(&NUMBERS.map(|n| (n, law(500.0, 0.5, 0.0, n)))).expect("it fits");
        assert_eq!((fit.peak_at, fit.kappa.low), (None, fit.kappa.low.max(0.0)));
        // More than in proportion is no law of this form: the nearest that is one is in proportion.
        let fit = super::fit(&NUMBERS.map(|n| (n, n.powf(1.2)))).expect("it fits");
        assert_eq!((fit.sigma.value, fit.kappa.value), (0.0, 0.0));
        assert!(fit.misfit > 0.2);
    }

    #[test]
    fn too_few_points_are_no_fit() {
        assert_eq!(fit(&[(1.0, 10.0), (2.0, 19.0), (4.0, 30.0)]), None);
        assert_eq!(fit(&[(4.0, 30.0), (4.0, 31.0), (4.0, 32.0), (4.0, 29.0), (8.0, 50.0)]), None);
    }

    proptest! {
        #[test]
        fn noise_leaves_the_truth_within_or_near_what_is_stated(
            sigma in 0.0..0.3_f64, kappa in 0.0..0.001_f64, noise in proptest::collection::vec(-0.03..0.03_f64, 14)
        ) {
            let points: Vec<_> = NUMBERS.iter().chain(&NUMBERS).zip(&noise)
                .map(|(n, noise)| (*n, law(100.0, sigma, kappa, *n) * (1.0 + noise))).collect();
            let fit = fit(&points).expect("it fits");
            prop_assert!(fit.lambda.low <= fit.lambda.value && fit.lambda.value <= fit.lambda.high);
            prop_assert!((fit.lambda.value / 100.0 - 1.0).abs() < 0.06, "{fit:?}");
            prop_assert!(fit.misfit < 0.08, "{fit:?}");
            let truth = law(100.0, sigma, kappa, 64.0);
            prop_assert!((fit.throughput(64.0).expect("within") / truth - 1.0).abs() < 0.06, "{fit:?}");
        }
    }
}
