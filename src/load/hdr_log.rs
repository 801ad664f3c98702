//! Histograms written out: the HDR V2 format, compressed, in the interval log that every HDR tool reads.

use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer as _, V2DeflateSerializer};

use super::histogram::Times;

/// A log under way. Times are in nanoseconds; the column of maxima is in milliseconds.
#[derive(Debug)]
pub struct HdrLog<W: Write>(W);

impl<W: Write> HdrLog<W> {
    /// Begins a log of a run that began then.
    pub fn begin(mut out: W, started: SystemTime) -> io::Result<Self> {
        let started = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        writeln!(out, "#[Histogram log format version 1.3]")?;
        writeln!(out, "#[StartTime: {started:.3} (seconds since epoch)]")?;
        writeln!(out, "#[BaseTime: {started:.3} (seconds since epoch)]")?;
        writeln!(out, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"")?;
        Ok(HdrLog(out))
    }

    /// Writes the times of an interval that began so long after the start.
    pub fn write(&mut self, name: &str, from: Duration, lasts: Duration, times: &Times) -> io::Result<()> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(times.inner(), &mut bytes).map_err(io::Error::other)?;
        let longest = times.longest().unwrap_or_default().as_secs_f64() * 1e3;
        let (from, lasts, encoded) = (from.as_secs_f64(), lasts.as_secs_f64(), STANDARD.encode(bytes));
        writeln!(self.0, "Tag={name},{from:.3},{lasts:.3},{longest:.3},{encoded}")
    }

    /// Ends the log.
    pub fn end(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn a_log_is_read_back_exactly_by_the_librarys_own_reader() {
        let mut times = Times::of_run();
        (1..5_000_u64).for_each(|ns| times.record(ns * ns * 10));
        let mut log = HdrLog::begin(Vec::new(), UNIX_EPOCH + Duration::from_secs(1_767_225_600)).expect("memory");
        log.write("response_time", Duration::from_secs(3), Duration::from_secs(1), &times).expect("memory");
        let bytes = log.end().expect("memory");
        let entries: Vec<_> = IntervalLogIterator::new(&bytes).map(|entry| entry.expect("an entry")).collect();
        let interval = entries.iter().find_map(|entry| match entry {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let interval = interval.expect("an interval");
        assert_eq!(interval.tag().map(|tag| tag.as_str()), Some("response_time"));
        assert_eq!(interval.start_timestamp(), Duration::from_secs(3));
        let encoded = STANDARD.decode(interval.encoded_histogram()).expect("base64");
        let read: hdrhistogram::Histogram<u64> =
            Deserializer::new().deserialize(&mut encoded.as_slice()).expect("a histogram");
        assert_eq!(&read, times.inner());
        assert!(entries.iter().any(|entry| matches!(entry, LogEntry::StartTime(_))));
    }
}
