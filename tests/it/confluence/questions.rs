//! Questions, asked of the views and of the oracle.

use std::net::Ipv6Addr;

use super::world::{World, clusters};
use crate::lives::{DAY, HOUR, MINUTE, Text};
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
        let came: Vec<Container> = ask(&self.database, "containers");
        outcome.add(compare("containers", expected, came));
        let expected = self.oracle.pods(None, |_| true);
        let came: Vec<Pod> = ask(&self.database, "pods");
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
        let mut outcome = compare(&view, expected, ask::<Container>(&self.database, &view));
        let view = format!("pods_between({})", between(window));
        let expected = self.oracle.pods(Some(window), |_| true);
        outcome.add(compare(&view, expected, ask::<Pod>(&self.database, &view)));
        outcome
    }

    fn look_up(&self, random: &mut Random) -> Outcome {
        let mut outcome = self.ask_node_and_ip(random);
        let Some((uid, id)) = self.oracle.some_instance(random.next()) else {
            return outcome;
        };
        let view = format!("pod_by_uid(uid = '{uid}')");
        let expected = self.oracle.pods(None, |row| row.pod_uid == uid);
        outcome.add(compare(&view, expected, ask::<Pod>(&self.database, &view)));
        let view = format!("containers_of_pod(uid = '{uid}')");
        let expected = self.oracle.containers(None, |row| row.pod_uid == uid);
        outcome.add(compare(
            &view,
            expected,
            ask::<Container>(&self.database, &view),
        ));
        if id.len() == 64 {
            let head = &id[..8 + 2 * random.below(20) as usize];
            let view = format!("containers_by_id(prefix = '{head}')");
            let expected = self
                .oracle
                .containers(None, |row| row.container_id.starts_with(head));
            outcome.add(compare(
                &view,
                expected,
                ask::<Container>(&self.database, &view),
            ));
        }
        outcome
    }

    fn ask_node_and_ip(&self, random: &mut Random) -> Outcome {
        let window = self.window(random);
        let all: Vec<Text> = clusters().collect();
        let cluster = &*all[random.below(all.len() as u64) as usize];
        let node = format!("node-{}", random.below(40));
        let view = format!(
            "containers_on_node(cluster = '{cluster}', node = '{node}', {})",
            between(window)
        );
        let expected = self.oracle.containers(Some(window), |row| {
            row.cluster == cluster && row.node.as_ref() == Some(&node)
        });
        let mut outcome = compare(&view, expected, ask::<Container>(&self.database, &view));
        let low = random.below(400) as u16;
        let ip = match random.below(4) {
            0 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, low),
            _ => Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0a00, low),
        };
        let written = if random.below(2) == 0 {
            ip.to_string()
        } else {
            ip.to_canonical().to_string()
        };
        let view = format!(
            "pods_with_ip(cluster = '{cluster}', ip = '{written}', {})",
            between(window)
        );
        let expected = self.oracle.pods_with_ip(cluster, ip, window);
        outcome.add(compare(&view, expected, ask::<Pod>(&self.database, &view)));
        outcome
    }
}
