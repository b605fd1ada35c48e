//! What seldom happens to a pod, and must be told rightly all the same.

use std::sync::Arc;

use super::super::chance::Chance;
use super::super::manners::clock;
use super::super::spec::address;
use super::Life;
use crate::lives::object::{Basis, Owner, State, Terminated, Verb};
use crate::lives::{HOUR, MINUTE, SECOND, Text, seconds};

impl Life<'_> {
    pub(super) fn odd_incident(&mut self) {
        match self.random.below(10) {
            0 => self.clock_changes(),
            1 => self.ends_in_another_way(),
            2 => self.starts_again(),
            3 => self.tells_what_was(),
            4 => self.addresses_go(),
            5 => self.changed_and_back(),
            6 => self.misses_a_container(),
            7 if self.object.mirror => self.made_anew(),
            7 => self.missed_by_a_cache(),
            8 => self.say(Verb::Close, &"alice".into(), &Text::default()),
            _ => self.comes_back(),
        }
    }

    /// Somebody sets the node's clock.
    fn clock_changes(&mut self) {
        self.manners.clock = clock(self.random);
        self.crash_loop(1);
    }

    /// An end, and another report of the same.
    fn ends_in_another_way(&mut self) {
        let places = self.places();
        let place = *self.random.pick(&places);
        self.end(place, 1, "Error");
        self.kubelet_says(Verb::PatchStatus);
        let later = self.random.below(3) as u32;
        let code = self.random.below(3) as i32;
        if let State::Terminated(end) = &mut self.object.statuses[place].state {
            end.finished += later;
            end.exit_code = code;
        }
        self.wait(MINUTE);
        self.kubelet_says(Verb::PatchStatus);
        self.restart(place);
    }

    /// The instance that ended becomes the last state, and another one begins.
    fn restart(&mut self, place: usize) {
        self.wait_for_restart(place);
        self.object.statuses[place].restart += 1;
        self.begin(place);
        self.kubelet_says(Verb::PatchStatus);
    }

    /// The runtime starts the same container once more.
    fn starts_again(&mut self) {
        let places = self.places();
        let place = *self.random.pick(&places);
        self.end(place, 137, "Error");
        if self.random.chance(70) {
            self.kubelet_says(Verb::PatchStatus);
        }
        self.wait(2 * MINUTE);
        let started = self.node_second();
        self.object.statuses[place].state = State::Running { started };
        self.kubelet_says(Verb::PatchStatus);
        if self.random.chance(30) {
            self.wait(MINUTE);
            self.end(place, 0, "Completed");
            self.kubelet_says(Verb::PatchStatus);
            self.restart(place);
        }
    }

    /// A status of before comes after a newer one.
    fn tells_what_was(&mut self) {
        let (statuses, phase) = (self.object.statuses.clone(), self.object.phase.clone());
        match self.random.below(3) {
            0 => self.crash_loop(1),
            1 => {
                self.object.phase = "Failed".into();
                self.kubelet_says(Verb::PatchStatus);
            }
            _ => self.new_sandbox(),
        }
        let newest = std::mem::replace(&mut self.object.statuses, statuses);
        let (ips, is_without) = (self.object.ips.clone(), self.random.chance(50));
        if is_without {
            self.object.ips = Vec::new();
        }
        self.object.phase = phase;
        self.kubelet_says(Verb::PatchStatus);
        (self.object.statuses, self.object.ips) = (newest, ips);
        if self.random.chance(80) {
            self.kubelet_says(Verb::PatchStatus);
        }
    }

    /// A status without addresses, one with others, and the old ones again.
    fn addresses_go(&mut self) {
        let ips = std::mem::take(&mut self.object.ips);
        self.kubelet_says(Verb::PatchStatus);
        self.wait(HOUR);
        for _ in 0..self.random.below(3) {
            self.object.ips = address(self.random);
            self.kubelet_says(Verb::PatchStatus);
            self.wait(HOUR);
        }
        self.object.ips = ips;
        self.kubelet_says(Verb::PatchStatus);
    }

    /// Somebody takes labels and owner away, or gives it others, and perhaps gives them back.
    fn changed_and_back(&mut self) {
        let (labels, owner) = (self.object.labels.clone(), self.object.owner.clone());
        for _ in 0..1 + self.random.below(3) {
            match self.random.below(4) {
                0 => self.object.labels = self.labels_with(None),
                1 => self.object.owner = None,
                2 => self.object.owner = Some(Arc::new(adopter())),
                _ => self.object.labels = self.labels_with(Some(("app".into(), "other".into()))),
            }
            let user = *self.random.pick(&["alice", "bob"]);
            self.say(Verb::Patch, &user.into(), &Text::default());
            self.wait(HOUR);
            self.kubelet_says(Verb::PatchStatus);
        }
        (self.object.labels, self.object.owner) = (labels, owner);
        self.say(Verb::Patch, &"carol".into(), &"deployer".into());
    }

    /// Another label, or none; the one that the name of the workload follows from stays.
    fn labels_with(&self, other: Option<(Text, Text)>) -> Arc<[(Text, Text)]> {
        let labels = self.object.labels.iter();
        let hash = labels.filter(|(key, _)| &**key == "pod-template-hash");
        other.into_iter().chain(hash.cloned()).collect()
    }

    /// A kubelet does not find a container, and makes its end up: without a time, and with a count that is too high.
    fn misses_a_container(&mut self) {
        let places = self.places();
        let place = *self.random.pick(&places);
        let made_up = Terminated {
            id: None,
            started: 0,
            finished: 0,
            exit_code: 137,
            signal: 0,
            reason: "ContainerStatusUnknown".into(),
        };
        let named = self.random.chance(50);
        let status = &mut self.object.statuses[place];
        let id = status.id.clone();
        let was = std::mem::replace(&mut status.state, State::Terminated(made_up.clone()));
        if !named {
            status.id = None;
        }
        if self.random.chance(60) {
            self.kubelet_says(Verb::PatchStatus);
            self.wait(MINUTE);
        }
        if self.random.chance(30) {
            // It was there all the time.
            let status = &mut self.object.statuses[place];
            (status.state, status.id) = (was, id);
            return self.kubelet_says(Verb::PatchStatus);
        }
        let status = &mut self.object.statuses[place];
        (status.state, status.last) = (State::Waiting, Some(made_up));
        status.restart += 1;
        if self.random.chance(60) {
            self.kubelet_says(Verb::PatchStatus);
            self.wait(MINUTE);
        }
        self.object.statuses[place].restart += self.random.below(2) as u32;
        self.begin(place);
        self.kubelet_says(Verb::PatchStatus);
    }

    /// The API's image of a static pod is deleted and made anew; its containers run on.
    fn made_anew(&mut self) {
        self.object.deletion = Some((seconds(self.now), 0));
        self.kubelet_says(Verb::Delete);
        self.now += 2 * SECOND - self.now.rem_euclid(SECOND);
        self.object.deletion = None;
        self.object.uid = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        self.object.created = seconds(self.now);
        self.kubelet_says(Verb::Create);
        self.kubelet_says(Verb::PatchStatus);
    }

    /// Just after its start an API server does not know its pods.
    fn missed_by_a_cache(&mut self) {
        self.kubelet_says(Verb::MissedByCache);
        self.wait(MINUTE);
        self.kubelet_says(Verb::PatchStatus);
    }

    /// Somebody deletes the namespace, and its controller this pod.
    pub(super) fn closed(&mut self) {
        self.say(Verb::Close, &"alice".into(), &Text::default());
        self.wait(MINUTE);
        self.remove_at_once("system:serviceaccount:kube-system:namespace-controller");
    }

    /// It was removed, or is, and is there again some time after that: its cluster was restored from a backup.
    pub(super) fn comes_back(&mut self) {
        if self.random.chance(50) {
            self.stopped();
        }
        let most = *self.random.pick(&[4 * SECOND, 10 * MINUTE, 6 * HOUR]);
        self.wait(most);
        self.object.deletion = None;
        self.object.reason = Text::default();
        for place in self.places() {
            self.wait_for_restart(place);
            if self.random.chance(70) {
                self.object.statuses[place].restart += 1;
                self.begin(place);
            }
        }
        self.object.phase = "Running".into();
        self.kubelet_says(Verb::PatchStatus);
        self.wait(6 * HOUR);
    }
}

fn adopter() -> Owner {
    Owner {
        kind: "StatefulSet".into(),
        name: "adopter".into(),
        workload_kind: "StatefulSet".into(),
        workload: "adopter".into(),
        basis: Basis::Owner,
    }
}
