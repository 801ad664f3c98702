//! What a run has counted so far, in Prometheus's text format, for whoever watches it from elsewhere.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>. It is fed with whole seconds, away from the threads that
//! send.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::document::SecondNote;

/// What has been counted.
#[derive(Debug, Default)]
pub struct Exposition {
    planned: u64,
    requests: u64,
    outcomes: BTreeMap<String, u64>,
    last: Option<SecondNote>,
}

impl Exposition {
    /// Takes a second in.
    pub fn note(&mut self, second: &SecondNote) {
        self.planned += second.planned;
        self.requests += second.requests;
        for (fate, count) in &second.outcomes {
            *self.outcomes.entry(fate.clone()).or_default() += count;
        }
        self.last = Some(second.clone());
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut say = |line: std::fmt::Arguments<'_>| {
            // Writing into memory does not fail.
            let _ = writeln!(text, "{line}");
        };
        for (name, help, value) in [
            ("arrivals_planned", "Arrivals that were due", self.planned),
            ("requests", "Requests that were put on the wire", self.requests),
        ] {
            say(format_args!("# HELP stepup_load_{name}_total {help}."));
            say(format_args!("# TYPE stepup_load_{name}_total counter"));
            say(format_args!("stepup_load_{name}_total {value}"));
        }
        say(format_args!("# HELP stepup_load_outcomes_total What became of arrivals."));
        say(format_args!("# TYPE stepup_load_outcomes_total counter"));
        for (fate, count) in &self.outcomes {
            say(format_args!("stepup_load_outcomes_total{{outcome=\"{fate}\"}} {count}"));
        }
        let Some(last) = &self.last else { return text };
        for (name, help, times) in [
            ("response_time", "From when arrivals of the last second were due to their answers", last.response_us),
            ("service_time", "From when they were sent to their answers", last.service_us),
            ("lateness", "From when they were due to when they were taken up", last.lateness_us),
        ] {
            let Some(times) = times else { continue };
            say(format_args!("# HELP stepup_load_{name}_seconds {help}."));
            say(format_args!("# TYPE stepup_load_{name}_seconds gauge"));
            for (quantile, us) in ["0.5", "0.9", "0.99", "1"].iter().zip(times) {
                say(format_args!("stepup_load_{name}_seconds{{quantile=\"{quantile}\"}} {}", us / 1e6));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_times_are_those_of_the_last_second() {
        let mut exposition = Exposition::default();
        let second = |at, accepted, p50| SecondNote {
            at,
            warm_up: false,
            planned: 10,
            requests: 11,
            accepted,
            outcomes: BTreeMap::from([("accepted".to_owned(), accepted)]),
            response_us: Some([p50, 200.0, 300.0, 400.0]),
            service_us: None,
            lateness_us: None,
        };
        exposition.note(&second(0, 9, 100.0));
        exposition.note(&second(1, 7, 150.0));
        let text = exposition.text();
        for line in [
            "stepup_load_arrivals_planned_total 20",
            "stepup_load_requests_total 22",
            "stepup_load_outcomes_total{outcome=\"accepted\"} 16",
            "stepup_load_response_time_seconds{quantile=\"0.5\"} 0.00015",
            "# TYPE stepup_load_response_time_seconds gauge",
        ] {
            assert!(text.lines().any(|seen| seen == line), "{line} is missing in {text}");
        }
        assert!(!text.contains("service_time"), "{text}");
    }
}
