//! Whether something rises: the straight line that fits it best, and how sure its slope is.
//!
//! A rate that is beyond what a target bears by little lets a queue grow so slowly that a short run ends before an
//! objective about response times is missed. The queue is seen all the same: where arrivals come faster than they are
//! answered, by a share of *x*, each second's responses take *x* seconds longer than those of the second before.

/// Student's t for one side of 95 percent, for one degree of freedom and more.
const STUDENT: [f64; 12] = [6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.89, 1.86, 1.83, 1.81, 1.80, 1.78];
/// The same for more than these; from 30 on it is 1.70, and less.
const STUDENT_BEYOND: f64 = 1.77;
/// Fewer points than this say nothing of how straight they lie.
const LEAST_POINTS: usize = 4;

/// By how much something rises, a unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// The best guess: least squares.
    pub value: f64,
    /// It is more than this, in nineteen of twenty cases.
    pub at_least: f64,
}

/// The slope of points, each at a time and with a value. None of fewer than four, or of such as are all at one time.
pub fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    if points.len() < LEAST_POINTS {
        return None;
    }
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (time, value) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(at, _)| (at - time).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|(at, seen)| (at - time) * (seen - value)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|(at, seen)| (seen - value - slope * (at - time)).powi(2)).sum();
    let freedom = points.len() - 2;
    let error = (rest / freedom as f64 / spread).sqrt();
    let student = STUDENT.get(freedom - 1).copied().unwrap_or(STUDENT_BEYOND);
    Some(Slope { value: slope, at_least: slope - student * error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_sure_and_what_merely_varies_is_not() {
        let line: Vec<(f64, f64)> = (0..8).map(|at| (f64::from(at), 0.1 + 0.026 * f64::from(at))).collect();
        let sure = slope(&line).expect("eight points");
        assert!((sure.value - 0.026).abs() < 1e-12 && (sure.at_least - 0.026).abs() < 1e-9, "{sure:?}");
        // One slow second at the end, and one in the middle.
        for slow in [7, 4] {
            let hiccup: Vec<(f64, f64)> =
                (0..8).map(|at| (f64::from(at), if at == slow { 0.2 } else { 0.001 })).collect();
            let unsure = slope(&hiccup).expect("eight points");
            assert!(unsure.at_least < 0.01, "{slow}: {unsure:?}");
        }
        let falling: Vec<(f64, f64)> = (0..8).map(|at| (f64::from(at), 1.0 - 0.1 * f64::from(at))).collect();
        assert!(slope(&falling).is_some_and(|slope| slope.at_least < -0.09));
    }

    #[test]
    fn the_known_answer_of_least_squares() {
        // y = 1.1 + 0.8 x, rest 0.4 + 0.36 …: the sum of squares is 2.4, so that the error is √(2.4 / 3 / 10).
        let points = [(1.0, 2.0), (2.0, 3.0), (3.0, 2.0), (4.0, 5.0), (5.0, 5.0)];
        let seen = slope(&points).expect("five points");
        let rest: f64 = points.iter().map(|(x, y)| (y - 0.8 * x - 1.0).powi(2)).sum();
        assert!((seen.value - 0.8).abs() < 1e-12, "{seen:?}");
        assert!((seen.at_least - (0.8 - 2.35 * (rest / 3.0 / 10.0).sqrt())).abs() < 1e-9, "{seen:?}");
    }

    #[test]
    fn too_few_points_or_one_time_have_no_slope() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]), None);
        assert_eq!(slope(&[(1.0, 1.0); 5]), None);
    }
}
