//! How a target is reached from this machine: its address, by TLS, over how many connections, from which cores.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use super::super::stream::Tls;
use super::super::thread;
use super::Unready;
use crate::consent;
use crate::target::Start;
use crate::wire::{Trust, Wire, is_loopback};

/// File descriptors beside those of connections: standard streams, epolls, reports.
const OTHER_FILES: u64 = 64;

/// How the name of a host becomes an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolver {
    /// As the system has it.
    #[default]
    System,
    /// It is this one, whatever the name.
    Fixed(SocketAddr),
}

/// Where a target runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// In this process.
    Here,
    /// On this machine, of which half is its own.
    ThisMachine,
    /// On another.
    Elsewhere,
}

impl Whereabouts {
    /// Of a target that is started so.
    pub fn of(start: &Start) -> Self {
        match start {
            Start::Embedded { .. } => Whereabouts::Here,
            Start::Running { base, .. } if !is_loopback(base) => Whereabouts::Elsewhere,
            Start::Running { .. } | Start::Installed(_) => Whereabouts::ThisMachine,
        }
    }
}

/// The cores: one for the embedded registry, where there are several, and those that send.
pub fn share_out(target: Whereabouts, threads: Option<u32>) -> (Option<usize>, Vec<Option<usize>>) {
    let all = thread::cores();
    let some = |cores: &[usize]| cores.iter().copied().map(Some).collect();
    let (registry, ours) = match (all.as_slice(), target) {
        ([] | [_], _) => (None, vec![None]),
        ([first, rest @ ..], Whereabouts::Here) => (Some(*first), some(rest)),
        (all, Whereabouts::ThisMachine) => (None, some(&all[all.len() - all.len() / 2..])),
        (all, Whereabouts::Elsewhere) => (None, some(all)),
    };
    let wanted = threads.map_or(ours.len(), |threads| threads as usize).max(1);
    let cores = (0..wanted).map(|at| ours.get(at).copied().flatten()).collect();
    (registry, cores)
}

/// How TLS is spoken with a target whose address says so.
pub fn tls(base: &Url, authorities: Option<&Path>) -> Result<Option<Tls>, String> {
    match (base.scheme(), authorities) {
        ("https", Some(authorities)) => {
            let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
            Tls::new(host, authorities).map(Some)
        }
        ("https", None) if !is_loopback(base) => Tls::of_system(base.host_str().unwrap_or_default()).map(Some),
        ("https", None) => Err(format!("{base}: `--cacert FILE` names who has issued its certificate")),
        (_, Some(_)) => Err(format!("--cacert: {base} has no certificate")),
        (_, None) => Ok(None),
    }
}

/// An address of another host, which has itself consented there. It is the one that is loaded then, so that no name
/// that means something else a moment later, and no proxy, leads to whoever has not. Nothing else has been sent to it.
pub async fn consenting(
    base: &Url,
    consent: Option<&str>,
    authorities: Option<PathBuf>,
    resolver: Resolver,
) -> Result<SocketAddr, Unready> {
    let host = consent::host_of(base);
    let refused = |why: String| Unready::Options(format!("load on {host} needs the host's own consent: {why}"));
    if consent.is_none() {
        return Err(refused("the target file states no `consent` that the host would confirm".to_owned()));
    }
    let found = match resolver {
        Resolver::Fixed(address) => vec![address],
        Resolver::System => base
            .socket_addrs(|| None)
            .map_err(|error| Unready::Target(format!("{host} has no address that this machine knows: {error}")))?,
    };
    let trust = authorities.map_or(Trust::System, Trust::Authorities);
    let mut why = "its name has no address".to_owned();
    for address in found {
        let wire = Wire::straight(base.clone(), trust.clone(), address).map_err(Unready::Options)?;
        match consent::given(&wire, consent).await {
            Ok(()) => return Ok(address),
            Err(other) => why = other,
        }
    }
    Err(refused(why))
}

/// Where a target on this machine listens.
pub fn address(base: &Url) -> Result<SocketAddr, String> {
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = base.port_or_known_default().unwrap_or(80);
    let found = (host.as_str(), port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut found: Vec<SocketAddr> = found.filter(|address| address.ip().is_loopback()).collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    // A name can have two addresses, and a registry listen at one.
    let listens = |address: &&SocketAddr| std::net::TcpStream::connect_timeout(address, Duration::from_secs(2)).is_ok();
    found.iter().find(listens).copied().ok_or_else(|| format!("nobody listens at {base} on this machine"))
}

/// Makes sure that there can be as many connections as are asked for, or says how many there can be.
pub fn foresee(connections: u32, ends: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = u64::from(connections) * ends + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < wanted) {
        let allowed = maximum.is_none_or(|maximum| maximum >= wanted);
        let raised = Rlimit { current: Some(wanted), maximum };
        if !allowed || setrlimit(Resource::Nofile, raised).is_err() {
            let most = maximum.or(current).unwrap_or_default().saturating_sub(OTHER_FILES) / ends;
            return Err(format!(
                "{connections} connections take {wanted} open files, and this system allows {} (`ulimit -n`): \
                 at most {most} connections",
                maximum.or(current).unwrap_or_default()
            ));
        }
    }
    if let Some(ports) = local_ports().filter(|ports| *ports < connections) {
        return Err(format!(
            "{connections} connections to one address take as many local ports, and this system has {ports} \
             (net.ipv4.ip_local_port_range)"
        ));
    }
    Ok(())
}

/// How many local ports a connection to one address can have, where the system says so.
fn local_ports() -> Option<u32> {
    let range = std::fs::read_to_string(Path::new("/proc/sys/net/ipv4/ip_local_port_range")).ok()?;
    let mut ends = range.split_whitespace().map(str::parse::<u32>);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    Some((last + 1).saturating_sub(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_connections_than_the_system_bears_are_foreseen() {
        let error = foresee(4_000_000, 1).expect_err("no system has so many");
        assert!(error.contains("open files") || error.contains("local ports"), "{error}");
        assert_eq!(foresee(8, 2), Ok(()));
    }
}
