//! One pod, from its creation on: writes in their order.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::chance::Chance;
use super::manners::{Accounts, Manners};
use super::spec::{Spec, address};
use crate::lives::object::{Event, Id, Kind, Level, Object, State, Status, Terminated, Verb};
use crate::lives::{DAY, HOUR, MINUTE, SECOND, Text, seconds};
use crate::support::Random;

const GARBAGE_COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
const JOB_CONTROLLER: &str = "system:serviceaccount:kube-system:job-controller";
const POD_GC: &str = "system:serviceaccount:kube-system:pod-garbage-collector";
const TAINTS: &str = "system:serviceaccount:kube-system:taint-eviction-controller";
const REPLICA_SETS: &str = "system:serviceaccount:kube-system:replicaset-controller";

mod odd;

pub struct Life<'a> {
    random: &'a mut Random,
    events: &'a mut Vec<Event>,
    object: Object,
    /// Set once a kubelet or the scheduler chose one; before, the object names none.
    node: Text,
    kubelet: Text,
    manners: Manners,
    /// The addresses of the last status.
    told_ips: Vec<Ipv6Addr>,
    now: i64,
}

impl<'a> Life<'a> {
    pub fn new(
        random: &'a mut Random,
        events: &'a mut Vec<Event>,
        mut object: Object,
        now: i64,
    ) -> Life<'a> {
        let node = std::mem::take(&mut object.node);
        let manners = Manners::random(random);
        Life {
            random,
            events,
            object,
            kubelet: match manners.accounts {
                Accounts::OfNodes => format!("system:node:{node}").into(),
                Accounts::Common => "kubelet".into(),
            },
            node,
            manners,
            told_ips: Vec::new(),
            now,
        }
    }

    pub fn now(&self) -> i64 {
        self.now
    }

    pub fn random(&mut self) -> &mut Random {
        self.random
    }

    /// Changes the last event.
    fn change(&mut self, change: impl FnOnce(&mut Event)) {
        self.events.last_mut().map(change);
    }

    pub fn run(&mut self, spec: &Spec) {
        self.create(spec);
        if !self.object.mirror {
            if self.random.chance(3) {
                // Never scheduled: it goes at once when that is asked.
                self.wait(HOUR);
                return self.remove_at_once("alice");
            }
            self.bind();
        }
        self.start();
        if spec.job {
            self.work(spec.run);
        } else {
            self.serve(spec.run);
        }
    }

    fn wait(&mut self, most: i64) {
        self.now += self.random.below(most.max(1) as u64) as i64;
    }

    /// Writes the object. resourceVersions go up with time.
    fn say(&mut self, verb: Verb, user: &Text, acting_as: &Text) {
        self.now += 2_000 + self.random.below(40_000) as i64;
        self.object.version = (self.now / 1_000) as u64;
        let mut lost_ips = Vec::new();
        if verb == Verb::PatchStatus {
            lost_ips = std::mem::replace(&mut self.told_ips, self.object.ips.clone());
            lost_ips.retain(|ip| !self.object.ips.contains(ip));
        }
        let is_of_kubelet = *user == self.kubelet;
        if self.manners.loses(self.random, verb, is_of_kubelet) {
            return;
        }
        self.events.push(Event {
            received: self.now - 1_500,
            at: self.now,
            verb,
            user: user.clone(),
            acting_as: acting_as.clone(),
            // What it deletes has ended.
            forced: verb == Verb::Delete && &**user == "kubelet",
            names_uid: verb == Verb::Delete && &**user == "kubelet",
            lost_ips,
            selector: Text::default(),
            level: Level::Full,
            object: Arc::new(self.manners.told(&self.object)),
        });
    }

    /// In seconds, by the clock of the node.
    fn node_second(&self) -> u32 {
        seconds(self.now + self.manners.clock)
    }

    fn kubelet_says(&mut self, verb: Verb) {
        let kubelet = self.kubelet.clone();
        self.say(verb, &kubelet, &Text::default());
    }

    fn create(&mut self, spec: &Spec) {
        // The server gives it its time when it has the request.
        self.now += SECOND - self.now.rem_euclid(SECOND);
        self.object.created = seconds(self.now);
        if self.object.mirror {
            self.object.node = self.node.clone();
            return self.kubelet_says(Verb::Create);
        }
        let (user, acting_as) = &spec.creator;
        self.say(Verb::Create, user, acting_as);
    }

    fn bind(&mut self) {
        let most = *self.random.pick(&[SECOND, SECOND, SECOND, 10 * MINUTE]);
        self.wait(most);
        self.object.node = self.node.clone();
        self.say(
            Verb::Bind,
            &"system:kube-scheduler".into(),
            &Text::default(),
        );
    }

    /// A kubelet takes it up, runs the init containers, and starts the rest.
    fn start(&mut self) {
        self.wait(SECOND);
        self.object.started = self.node_second();
        if self.random.chance(10) {
            self.object.statuses[0].state = State::Stuck("ImagePullBackOff".into());
        }
        self.kubelet_says(Verb::PatchStatus);
        for place in 0..self.object.statuses.len() {
            if self.object.statuses[place].kind != Kind::Init {
                continue;
            }
            self.begin(place);
            if self.random.chance(50) {
                self.kubelet_says(Verb::PatchStatus);
            }
            self.wait(20 * SECOND);
            self.end(place, 0, "Completed");
            self.kubelet_says(Verb::PatchStatus);
        }
        self.wait(10 * SECOND);
        for place in self.places() {
            self.begin(place);
            if self.random.chance(20) {
                self.kubelet_says(Verb::PatchStatus);
                self.wait(5 * SECOND);
            }
        }
        self.object.ips = address(self.random);
        self.object.phase = "Running".into();
        self.kubelet_says(Verb::PatchStatus);
    }

    /// The containers that are to run all the time.
    fn places(&self) -> Vec<usize> {
        let statuses = self.object.statuses.iter().enumerate();
        statuses
            .filter(|(_, status)| status.kind != Kind::Init)
            .map(|(place, _)| place)
            .collect()
    }

    /// A new instance.
    fn begin(&mut self, place: usize) {
        let bytes = self.random.bytes();
        let id = if self.random.chance(2) {
            Id::Other(
                format!(
                    "sandbox-{:x}",
                    u64::from_le_bytes(*bytes.first_chunk().expect("32 bytes"))
                )
                .into(),
            )
        } else {
            Id::Hex(bytes)
        };
        let started = self.node_second();
        let status = &mut self.object.statuses[place];
        status.id = Some(id);
        status.state = State::Running { started };
    }

    fn end(&mut self, place: usize, exit_code: i32, reason: &str) {
        let finished = self.node_second();
        let status = &mut self.object.statuses[place];
        if let (State::Running { started }, Some(id)) = (&status.state, &status.id) {
            status.state = State::Terminated(Terminated {
                id: Some(id.clone()),
                started: *started,
                finished,
                exit_code,
                signal: if exit_code == 137 { 9 } else { 0 },
                reason: reason.into(),
            });
        }
    }

    /// What a job does: it works, fails or not, and is kept for a while.
    fn work(&mut self, run: i64) {
        if self.random.chance(10) {
            let times = 1 + self.random.below(4);
            self.crash_loop(times);
        }
        self.now += run;
        let failed = self.random.chance(15);
        for place in self.places() {
            self.end(
                place,
                i32::from(failed),
                if failed { "Error" } else { "Completed" },
            );
        }
        self.object.phase = if failed { "Failed" } else { "Succeeded" }.into();
        self.kubelet_says(Verb::PatchStatus);
        match self.random.below(10) {
            0 => {}
            1..=2 => {
                self.wait(DAY);
                self.remove_at_once(GARBAGE_COLLECTOR);
            }
            _ => {
                self.wait(30 * MINUTE);
                self.remove_at_once(GARBAGE_COLLECTOR);
            }
        }
    }

    /// What a service does: it runs until it is not wanted any more.
    fn serve(&mut self, run: i64) {
        let end = self.now + run;
        let incidents = self.random.below(4);
        for _ in 0..incidents {
            self.wait((end - self.now) / 2 + 1);
            self.incident();
        }
        self.now = self.now.max(end);
        self.end_of_service();
        if self.manners.are_odd && self.random.chance(8) {
            self.comes_back();
            if self.random.chance(60) {
                self.stopped();
            }
        }
        if self.random.chance(15) {
            self.wait(HOUR);
            let user = *self.random.pick(&["alice", GARBAGE_COLLECTOR]);
            self.say(Verb::Missed, &user.into(), &Text::default());
        }
        if self.random.chance(10) {
            self.kubelet_says(Verb::MissedStatus);
        }
    }

    fn end_of_service(&mut self) {
        match self.random.below(20) {
            _ if self.manners.are_odd && self.random.chance(10) => self.closed(),
            0 => self.evicted(),
            1..=2 => self.remove_at_once("alice"),
            3..=4 => self.forced(),
            5..=8 => self.disturbed(),
            9..=10 => self.node_lost(),
            _ => self.stopped(),
        }
    }

    fn incident(&mut self) {
        if self.manners.are_odd && self.random.chance(60) {
            return self.odd_incident();
        }
        match self.random.below(10) {
            0 => self.crash_loop(1),
            1 => {
                let times = 2 + self.random.below(5);
                self.crash_loop(times);
            }
            2 => self.new_sandbox(),
            3 => self.relabel(),
            4 => self.debug(),
            5 => self.counts_from_zero(),
            6 => self.ends_unseen(),
            7 => self.threatened(),
            8 if self.random.chance(30) => {
                let times = 18 + self.random.below(8);
                self.crash_loop(times);
            }
            _ => self.kubelet_says(Verb::PatchStatus),
        }
    }

    /// One container fails again and again. Quick restarts fall into one status, and then the
    /// instances between are never told.
    fn crash_loop(&mut self, times: u64) {
        let places = self.places();
        let place = *self.random.pick(&places);
        for _ in 0..times {
            self.wait(2 * MINUTE);
            let killed = self.random.chance(40);
            let (code, reason) = if killed {
                (137, "OOMKilled")
            } else {
                (1, "Error")
            };
            self.end(place, code, reason);
            self.maybe_told();
            self.wait_for_restart(place);
            self.maybe_told();
            self.wait(MINUTE);
            let skipped = if self.random.chance(20) {
                1 + self.random.below(3) as u32
            } else {
                0
            };
            let forgotten = self.random.chance(15);
            for _ in 0..skipped {
                self.begin(place);
                self.now += SECOND + self.random.below(5 * SECOND as u64) as i64;
                self.end(place, 1, "Error");
                self.wait_for_restart(place);
                self.object.statuses[place].restart += 1;
            }
            self.object.statuses[place].restart += 1;
            self.begin(place);
            if forgotten {
                self.object.statuses[place].last = None;
            }
            if self.random.chance(10) {
                self.created(place);
            }
            if self.random.chance(95) {
                self.kubelet_says(Verb::PatchStatus);
            }
        }
    }

    /// A status that has the new instance before it has started.
    fn created(&mut self, place: usize) {
        let running = std::mem::replace(&mut self.object.statuses[place].state, State::Waiting);
        self.kubelet_says(Verb::PatchStatus);
        self.object.statuses[place].state = running;
        self.wait(5 * SECOND);
    }

    /// A kubelet that was away finds its containers ended, and not when; they start again.
    fn ends_unseen(&mut self) {
        for place in self.places() {
            let times = *self.random.pick(&[(0, 0), (0, self.node_second())]);
            self.end(place, 137, "ContainerStatusUnknown");
            if let State::Terminated(ended) = &mut self.object.statuses[place].state {
                (ended.started, ended.finished) = times;
            }
        }
        self.kubelet_says(Verb::PatchStatus);
        self.wait(MINUTE);
        for place in self.places() {
            self.wait_for_restart(place);
            self.object.statuses[place].restart += 1;
            self.begin(place);
        }
        self.kubelet_says(Verb::PatchStatus);
    }

    /// Somebody was about to end it, and failed. The condition stays for a while.
    fn threatened(&mut self) {
        let reasons = ["EvictionByEvictionAPI", "PreemptionByScheduler"];
        let reason = *self.random.pick(&reasons);
        self.object.disrupted = Some((seconds(self.now), reason.into()));
        self.kubelet_says(Verb::PatchStatus);
        self.wait(30 * MINUTE);
        self.object.disrupted = None;
    }

    fn maybe_told(&mut self) {
        if self.random.chance(60) {
            self.kubelet_says(Verb::PatchStatus);
        }
    }

    /// The dead instance becomes the last state.
    fn wait_for_restart(&mut self, place: usize) {
        let status = &mut self.object.statuses[place];
        if let State::Terminated(terminated) = std::mem::replace(&mut status.state, State::Waiting)
        {
            status.last = Some(terminated);
        }
    }

    /// All containers begin anew with another address.
    fn new_sandbox(&mut self) {
        for place in self.places() {
            self.end(place, 255, "Unknown");
            self.wait_for_restart(place);
        }
        self.maybe_told();
        self.wait(20 * SECOND);
        self.object.ips = address(self.random);
        for place in self.places() {
            self.object.statuses[place].restart += 1;
            self.begin(place);
        }
        self.kubelet_says(Verb::PatchStatus);
    }

    /// The node dies and comes back, and has forgotten what ran: nobody tells how that ended, and restarts
    /// are counted anew.
    fn counts_from_zero(&mut self) {
        self.wait(MINUTE);
        for place in self.places() {
            let status = &mut self.object.statuses[place];
            status.restart = 0;
            status.last = None;
            self.begin(place);
        }
        self.kubelet_says(Verb::PatchStatus);
    }

    fn relabel(&mut self) {
        let number = self.random.below(1_000);
        let mut labels: Vec<(Text, Text)> = self.object.labels.to_vec();
        labels.retain(|(key, _)| &**key != "track");
        if number > 300 {
            labels.push(("track".into(), number.to_string().into()));
        }
        labels.sort();
        self.object.labels = labels.into();
        self.say(Verb::Patch, &"alice".into(), &Text::default());
    }

    fn debug(&mut self) {
        if self
            .object
            .statuses
            .iter()
            .any(|one| one.kind == Kind::Ephemeral)
        {
            return;
        }
        self.object.statuses.push(Status {
            name: "debugger".into(),
            kind: Kind::Ephemeral,
            image: "registry.example/debug:2".into(),
            image_id: "registry.example/debug:2@sha256:00".into(),
            id: None,
            restart: 0,
            state: State::Waiting,
            last: None,
        });
        self.begin(self.object.statuses.len() - 1);
        self.kubelet_says(Verb::PatchStatus);
    }

    /// Deleted with grace: its containers end, then its kubelet lets it go.
    fn stopped(&mut self) {
        let human = self.random.chance(25);
        let user: Text = if human { "alice" } else { REPLICA_SETS }.into();
        self.object.deletion = Some((seconds(self.now) + 30, 30));
        match human && self.random.chance(25) {
            true => self.collected(&user),
            false => self.say(Verb::Delete, &user, &Text::default()),
        }
        if self.random.chance(10) {
            self.say(Verb::Delete, &"bob".into(), &Text::default());
        }
        if self.random.chance(5) {
            self.wait(10 * SECOND);
            self.object.deletion = Some((seconds(self.now) + 5, 5));
            self.say(Verb::Delete, &"carol".into(), &Text::default());
        }
        let grace = *self.random.pick(&[30 * SECOND, 30 * SECOND, 2 * HOUR]);
        self.go(grace, human);
    }

    /// Its containers end within the time that they have, one after the other where that is long, and its
    /// kubelet lets it go.
    fn go(&mut self, grace: i64, human: bool) {
        if grace > MINUTE {
            let places = self.places();
            self.end(places[0], 0, "Completed");
            self.kubelet_says(Verb::PatchStatus);
        }
        self.wait(grace);
        for place in self.places() {
            self.end(
                place,
                if human { 137 } else { 0 },
                if human { "Error" } else { "Completed" },
            );
        }
        if self.random.chance(90) {
            self.kubelet_says(Verb::PatchStatus);
        }
        self.wait(3 * SECOND);
        self.object.deletion = Some((seconds(self.now), 0));
        if self.random.chance(90) {
            self.kubelet_says(Verb::Delete);
        }
    }

    /// By a deletecollection: of this pod, of what a selector selects, or of the namespace.
    fn collected(&mut self, user: &Text) {
        let deletion = self.object.deletion.take();
        let verb = *self.random.pick(&[Verb::Collect, Verb::CollectItems]);
        self.say(verb, user, &Text::default());
        self.object.deletion = deletion;
        let app = self.object.labels.first().map_or("", |(_, app)| app);
        let selectors = [
            String::new(),
            format!("app={app}"),
            format!("app=={app},app={app}"),
            "app=other".to_owned(),
            format!("app in ({app})"),
            format!("app!={app}"),
        ];
        let selector: Text = self.random.pick(&selectors).as_str().into();
        self.change(|event| event.selector = selector);
    }

    /// Its node is deleted. Another one of the same name may come, and the pod may go on there.
    fn node_lost(&mut self) {
        let admins = ["system:serviceaccount:cluster:autoscaler", "alice"];
        let admin: Text = (*self.random.pick(&admins)).into();
        self.say(Verb::NodeGone, &admin, &Text::default());
        if self.random.chance(40) {
            let wait = *self.random.pick(&[9 * MINUTE, 30 * MINUTE]);
            self.wait(wait);
            self.say(Verb::NodeCame, &admin, &Text::default());
        }
        if self.random.chance(40) {
            self.wait(2 * MINUTE);
            self.kubelet_says(Verb::PatchStatus);
        }
        match self.random.below(5) {
            0 => {
                self.object.disrupted = Some((seconds(self.now), "DeletionByPodGC".into()));
                self.remove_at_once(POD_GC);
            }
            1 => self.remove_at_once(POD_GC),
            2 => {
                // It was not the last deletion of that node.
                self.wait(HOUR);
                self.say(Verb::NodeGone, &admin, &Text::default());
            }
            _ => {}
        }
    }

    /// A node in need stops it; the object stays until it is collected.
    fn evicted(&mut self) {
        for place in self.places() {
            self.end(place, 137, "Error");
        }
        self.object.phase = "Failed".into();
        let reasons = [
            "Evicted",
            "Evicted",
            "Preempting",
            "Terminated",
            "NodeShutdown",
        ];
        self.object.reason = (*self.random.pick(&reasons)).into();
        if self.random.chance(50) {
            self.object.disrupted = Some((seconds(self.now), "TerminationByKubelet".into()));
        }
        self.kubelet_says(Verb::PatchStatus);
        self.wait(6 * HOUR);
        self.remove_at_once(POD_GC);
    }

    /// Somebody ends it without having meant it.
    fn disturbed(&mut self) {
        let (user, reason) = *self.random.pick(&[
            ("drainer", "EvictionByEvictionAPI"),
            ("drainer", "EvictionByEvictionAPI"),
            ("system:kube-scheduler", "PreemptionByScheduler"),
            (TAINTS, "DeletionByTaintManager"),
        ]);
        self.object.disrupted = Some((seconds(self.now), reason.into()));
        self.object.deletion = Some((seconds(self.now) + 30, 30));
        let verb = match user {
            "drainer" => Verb::Evict,
            _ => Verb::Delete,
        };
        self.say(verb, &user.into(), &Text::default());
        let names_uid = self.random.chance(50);
        self.change(|event| event.names_uid = names_uid);
        if self.random.chance(5) {
            // It has no time at all.
            return self.change(|event| event.forced = verb == Verb::Evict);
        }
        if self.random.chance(30) {
            self.object.disrupted = None;
        }
        self.go(30 * SECOND, false);
    }

    /// Removed while it runs.
    fn forced(&mut self) {
        self.object.deletion = Some((seconds(self.now), 0));
        match self.random.chance(20) {
            true => self.collected(&"alice".into()),
            false => self.say(Verb::Delete, &"alice".into(), &"deployer".into()),
        }
        self.change(|event| event.forced = true);
    }

    /// The object goes with the request, unless a finalizer holds it.
    fn remove_at_once(&mut self, user: &str) {
        self.object.deletion = Some((seconds(self.now), 0));
        if self.random.chance(95) {
            self.say(Verb::Delete, &user.into(), &Text::default());
        }
        if self.object.finalizer {
            self.wait(10 * SECOND);
            self.object.finalizer = false;
            self.say(Verb::Patch, &JOB_CONTROLLER.into(), &Text::default());
        }
    }
}
