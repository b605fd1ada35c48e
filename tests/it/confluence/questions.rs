//! Questions, asked of the views and of the oracle.

use std::net::IpAddr;

use super::world::World;
use crate::lives::{DAY, HOUR, MINUTE};
use crate::oracle::Window;
use crate::oracle::answer::{Container, Pod};
use crate::oracle::compare::{Outcome, compare};
use crate::oracle::views::{ask, between};
use crate::support::Random;

/// Windows and look-ups of each kind, each time that everything is asked: more of many histories.
const HISTORIES_PER_LOOK_UP: u64 = 1_000;
const LOOK_UPS_MAX: u64 = 10;

impl World {
    /// Everything, then windows and look-ups.
    pub fn ask(&mut self, random: &mut Random) -> Outcome {
        self.oracle.tell();
        let mut outcome = Outcome::default();
        let expected = self.oracle.containers(None, |_| true);
        let came: Vec<Container> = ask(&self.servers.database, "containers");
        outcome.add(compare("containers", expected, came));
        let expected = self.oracle.pods(None, |_| true);
        let came: Vec<Pod> = ask(&self.servers.database, "pods");
        outcome.add(compare("pods", expected, came));
        let look_ups = 1 + self.histories / HISTORIES_PER_LOOK_UP;
        for _ in 0..look_ups.min(LOOK_UPS_MAX) {
            outcome.add(self.ask_window(random));
            outcome.add(self.look_up(random));
        }
        outcome
    }

    /// One small question.
    pub fn ask_one(&mut self, random: &mut Random) -> Outcome {
        self.oracle.tell();
        match random.below(3) {
            0 => self.ask_window(random),
            _ => self.look_up(random),
        }
    }

    fn window(&self, random: &mut Random) -> Window {
        let length = [1, MINUTE, HOUR, DAY, 40 * DAY][random.below(5) as usize];
        let back = random.below(36 * HOUR as u64) as i64;
        let since = match random.below(10) {
            0 => self.now - length,
            1 => self.now - 60 * DAY,
            _ => self.now - back,
        };
        Window {
            since,
            until: since + length,
        }
    }

    fn ask_window(&self, random: &mut Random) -> Outcome {
        let window = self.window(random);
        let view = format!("containers_between({})", between(window));
        let expected = self.oracle.containers(Some(window), |_| true);
        let mut outcome = compare(
            &view,
            expected,
            ask::<Container>(&self.servers.database, &view),
        );
        let view = format!("pods_between({})", between(window));
        let expected = self.oracle.pods(Some(window), |_| true);
        outcome.add(compare(
            &view,
            expected,
            ask::<Pod>(&self.servers.database, &view),
        ));
        outcome
    }

    fn look_up(&self, random: &mut Random) -> Outcome {
        let Some(one) = self.oracle.some_instance(random.next()) else {
            return Outcome::default();
        };
        let mut outcome = self.ask_node_and_ip(one, random);
        let (uid, id) = (&one.pod_uid, &one.container_id);
        let view = format!("pod_by_uid(uid = '{uid}')");
        let expected = self.oracle.pods(None, |row| row.pod_uid == *uid);
        outcome.add(compare(
            &view,
            expected,
            ask::<Pod>(&self.servers.database, &view),
        ));
        let view = format!("containers_of_pod(uid = '{uid}')");
        let expected = self.oracle.containers(None, |row| row.pod_uid == *uid);
        let came = ask::<Container>(&self.servers.database, &view);
        outcome.add(compare(&view, expected, came));
        if let Some(id) = id.as_ref().filter(|id| id.len() == 64) {
            let head = &id[..8 + 2 * random.below(20) as usize];
            let view = format!("containers_by_id(prefix = '{head}')");
            let of_id = |row: &Container| {
                let id = row.container_id.as_ref();
                id.is_some_and(|id| id.starts_with(head))
            };
            let expected = self.oracle.containers(None, of_id);
            let came = ask::<Container>(&self.servers.database, &view);
            outcome.add(compare(&view, expected, came));
        }
        outcome
    }

    /// About the node and an address of an instance.
    fn ask_node_and_ip(&self, one: &Container, random: &mut Random) -> Outcome {
        let window = self.window(random);
        let (cluster, window_text) = (&one.cluster, between(window));
        let mut outcome = Outcome::default();
        if let Some(node) = &one.node {
            let view = format!(
                "containers_on_node(cluster = '{cluster}', node = '{node}', {window_text})"
            );
            let expected = self.oracle.containers(Some(window), |row| {
                row.cluster == *cluster && row.node.as_ref() == Some(node)
            });
            let came = ask::<Container>(&self.servers.database, &view);
            outcome.add(compare(&view, expected, came));
        }
        for ip in &one.pod_ips {
            let view = format!("pods_with_ip(cluster = '{cluster}', ip = '{ip}', {window_text})");
            let ip = match ip.parse().expect("an address") {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            let expected = self.oracle.pods_with_ip(cluster, ip, window);
            outcome.add(compare(
                &view,
                expected,
                ask::<Pod>(&self.servers.database, &view),
            ));
        }
        outcome
    }
}
