//! Things that are good for a while: pages, tickets, ceremonies, tokens of authorisations.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::{Duration, SystemTime};

/// Things by key, each with the moment from which on it is no good.
///
/// What has expired is dropped a lifetime later, when something new comes in: the faults of
/// expiry need it until then, and memory stays bounded.
pub(crate) struct Expiring<K, T> {
    lifetime: Duration,
    kept: HashMap<K, Kept<T>>,
    /// Keys in the order in which they were kept.
    order: VecDeque<(SystemTime, K)>,
}

struct Kept<T> {
    since: SystemTime,
    thing: T,
}

/// Which things are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Those that are good at this moment.
    GoodAt(SystemTime),
    /// All, expired or not: a fault.
    AnyAge,
}

impl<K: Clone + Eq + Hash, T> Expiring<K, T> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { lifetime, kept: HashMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn keep(&mut self, key: K, thing: T, now: SystemTime) {
        while let Some((since, key)) = self.order.front()
            && age(*since, now) >= self.lifetime * 2
        {
            self.kept.remove(key);
            self.order.pop_front();
        }
        self.order.push_back((now, key.clone()));
        self.kept.insert(key, Kept { since: now, thing });
    }

    pub(crate) fn get<Q>(&self, key: &Q, of: Of) -> Option<&T>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let kept = self.kept.get(key)?;
        is_good(self.lifetime, kept.since, of).then_some(&kept.thing)
    }

    pub(crate) fn get_mut<Q>(&mut self, key: &Q, of: Of) -> Option<&mut T>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let kept = self.kept.get_mut(key)?;
        is_good(self.lifetime, kept.since, of).then_some(&mut kept.thing)
    }

    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<T>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.kept.remove(key).map(|kept| kept.thing)
    }

    /// Everything that is kept, expired or not.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.kept.values().map(|kept| &kept.thing)
    }
}

fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}

fn is_good(lifetime: Duration, since: SystemTime, of: Of) -> bool {
    match of {
        Of::GoodAt(now) => age(since, now) < lifetime,
        Of::AnyAge => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_thing_is_good_for_its_lifetime_and_dropped_after_two() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let mut kept = Expiring::new(Duration::from_secs(10));
        kept.keep("a", 1, at(100));
        assert_eq!(kept.get("a", Of::GoodAt(at(109))), Some(&1));
        assert_eq!(kept.get("a", Of::GoodAt(at(110))), None);
        kept.keep("b", 2, at(119));
        assert_eq!(kept.get("a", Of::AnyAge), Some(&1));
        kept.keep("c", 3, at(120));
        assert_eq!((kept.get("a", Of::AnyAge), kept.all().count()), (None, 2));
    }
}
