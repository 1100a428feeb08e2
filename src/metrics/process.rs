//! The process itself, under the names that every Prometheus client uses. Read from the system when metrics are; what the
//! system does not tell is left out.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily};
use prometheus::{Counter, IntGauge, Result};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Reads the process.
pub(super) struct Process {
    cpu: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_memory: IntGauge,
    resident_memory: IntGauge,
    threads: IntGauge,
    start_time: IntGauge,
    started: Option<u64>,
}

impl Process {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            cpu: Counter::new("process_cpu_seconds_total", "CPU time that the process has used, in seconds.")?,
            open_fds: IntGauge::new("process_open_fds", "File descriptors that are open.")?,
            max_fds: IntGauge::new("process_max_fds", "File descriptors that may be open.")?,
            virtual_memory: IntGauge::new("process_virtual_memory_bytes", "Virtual memory, in bytes.")?,
            resident_memory: IntGauge::new("process_resident_memory_bytes", "Resident memory, in bytes.")?,
            threads: IntGauge::new("process_threads", "Threads.")?,
            start_time: IntGauge::new("process_start_time_seconds", "When the process started, in seconds since the Unix epoch.")?,
            started: started(),
        })
    }

    fn gauges(&self) -> [(&IntGauge, Option<u64>); 6] {
        let pages = |field| Some(pages_of_memory(field)?.saturating_mul(rustix::param::page_size() as u64));
        [
            (&self.open_fds, open_fds()),
            (&self.max_fds, getrlimit(Resource::Nofile).current),
            (&self.virtual_memory, pages(0)),
            (&self.resident_memory, pages(1)),
            (&self.threads, stat_field(THREADS)),
            (&self.start_time, self.started),
        ]
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges().into_iter().flat_map(|(gauge, _)| gauge.desc());
        self.cpu.desc().into_iter().chain(gauges).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.cpu.collect();
        for metric in families.iter_mut().flat_map(MetricFamily::mut_metric) {
            let mut counter = proto::Counter::default();
            counter.set_value(cpu_seconds());
            metric.set_counter(counter);
        }
        for (gauge, value) in self.gauges() {
            if let Some(value) = value {
                gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
                families.extend(gauge.collect());
            }
        }
        families
    }
}

/// Places in `/proc/self/stat` behind the name of the program, counted from 0 (`proc_pid_stat(5)`).
const THREADS: usize = 17;
const STARTED: usize = 19;

fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap_or_default().as_secs_f64()
}

/// The size of the folder is the number of descriptors since Linux 6.2; before, each is counted.
fn open_fds() -> Option<u64> {
    let size = std::fs::metadata("/proc/self/fd").ok()?.len();
    if size > 0 { Some(size) } else { Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64) }
}

fn pages_of_memory(field: usize) -> Option<u64> {
    std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(field)?.parse().ok()
}

/// The name of the program may hold anything; it ends at the last parenthesis.
fn stat_field(field: usize) -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(field)?.parse().ok()
}

fn started() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat_field(STARTED)?.checked_div(rustix::param::clock_ticks_per_second())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_read_from_the_system() {
        let process = Process::new().unwrap();
        let families = process.collect();
        assert_eq!(families.len(), 7, "{families:?}");
        let gauge = |name: &str| {
            let family = families.iter().find(|family| family.name() == name).unwrap();
            family.get_metric()[0].get_gauge().get_value()
        };
        assert!(cpu_seconds() > 0.0 && gauge("process_threads") >= 1.0 && gauge("process_open_fds") >= 3.0);
        assert!((1e6..1e12).contains(&gauge("process_resident_memory_bytes")));
        assert!(gauge("process_virtual_memory_bytes") >= gauge("process_resident_memory_bytes"));
        let now = f64::from(u32::try_from(crate::clock::Clock::now(&crate::clock::SystemClock).0 / 1000).unwrap());
        assert!((now - 1e6..=now + 2.0).contains(&gauge("process_start_time_seconds")));
    }
}
