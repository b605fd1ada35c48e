//! The questions that `schema/README.md` works out: as they stand there, over recording-a, against
//! what really happened.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::support::{self, Bygone, json_lines, sql};

/// Times with their microseconds.
const FORM: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// Rows of an answer, each its columns.
type Rows = Vec<Vec<String>>;

#[test]
fn nineteen_questions_and_their_answers() {
    let questions = questions();
    assert_eq!(questions.len(), 19);
    let bygone = Bygone::start();
    let bodies = support::read(&support::recording_a(), "bodies.jsonl");
    bygone.post_all(bodies.lines().map(str::to_owned));
    let truth = Truth::read();
    truth.hold(&bygone, &questions);
}

/// The SQL under each heading of the section, by the heading's number.
fn questions() -> Vec<String> {
    let text = include_str!("../../schema/README.md");
    let (_, section) = text.split_once("\n## Worked questions\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let parts = section.split("\n### ").skip(1).enumerate();
    let sql = parts.map(|(place, part)| {
        assert!(part.starts_with(&format!("{}. ", place + 1)), "{part}");
        let lines = part.lines().filter_map(|line| line.strip_prefix("    "));
        lines.collect::<Vec<_>>().join("\n")
    });
    sql.collect()
}

fn ask(bygone: &Bygone, question: &str) -> Rows {
    let answer = sql(&bygone.database, &format!("{question} FORMAT TSV"));
    let rows = answer.lines();
    rows.map(|row| row.split('\t').map(exact).collect())
        .collect()
}

/// A time with all its microseconds: columns have those that are known. Anything else as it is.
fn exact(cell: &str) -> String {
    let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", cell);
    time.map_or_else(|_| cell.to_owned(), |time| time.strftime(FORM).to_string())
}

/// What a watch of the API saw.
struct Truth {
    pods: Vec<Value>,
    instances: Vec<Value>,
    /// What the workload did, and when.
    done: Vec<Value>,
}

impl Truth {
    fn read() -> Truth {
        let folder = support::recording_a();
        Truth {
            pods: json_lines(&folder, "truth-pods.jsonl"),
            instances: json_lines(&folder, "truth.jsonl"),
            done: json_lines(&folder, "workload.jsonl"),
        }
    }

    fn hold(&self, bygone: &Bygone, questions: &[String]) {
        let [
            address,
            images,
            memory,
            deleted,
            node,
            short,
            restarts,
            ends,
            forced,
            flaw,
            kills,
            restarting,
            hours,
            most,
            at_once,
            used,
            by_day,
            reasons,
            rollouts,
        ] = questions
        else {
            panic!("nineteen questions");
        };
        let answer = |question: &str| ask(bygone, question);
        self.address(&answer(address));
        self.images(&answer(images));
        self.memory(&answer(memory));
        self.deleted(&answer(deleted));
        self.node(&answer(node));
        self.short(&answer(short));
        self.restarts(&answer(restarts));
        self.ends(&answer(ends));
        self.forced(&answer(forced));
        self.flaw(&answer(flaw));
        self.kills(&answer(kills));
        self.restarting(&answer(restarting));
        self.hours(&answer(hours));
        self.most(&answer(most));
        self.at_once(&answer(at_once));
        self.used(&answer(used));
        self.by_day(&answer(by_day));
        self.reasons(&answer(reasons));
        self.rollouts(&answer(rollouts));
    }

    /// The watch saw when each began, and of most when it ended.
    fn at_once(&self, answer: &Rows) {
        let first: Timestamp = "2026-11-23T06:15:10Z".parse().unwrap();
        let instants = (0..8).map(|step| first + jiff::SignedDuration::from_secs(10 * step));
        let told: BTreeMap<&str, usize> = answer
            .iter()
            .map(|row| (&*row[0], row[1].parse().unwrap()))
            .collect();
        assert!(told.len() > 4, "{told:?}");
        for at in instants {
            let begun = self
                .instances
                .iter()
                .filter(|one| time(&one["started_at"]) <= at);
            // Of some the watch saw no end.
            let (known, unknown): (Vec<&Value>, Vec<&Value>) =
                begun.partition(|one| one["finished_at"].is_string());
            let running = known.iter().filter(|one| time(&one["finished_at"]) > at);
            let least = running.count();
            let told = told.get(&*as_told(at)).copied().unwrap_or(0);
            assert!(
                (least..=least + unknown.len()).contains(&told),
                "{at}: {told}, {least}"
            );
        }
    }

    fn pod(&self, instance: &Value) -> &Value {
        let mut pods = self.pods.iter();
        pods.find(|pod| pod["uid"] == instance["pod_uid"]).unwrap()
    }

    /// The workload of the pod of an instance.
    fn owner(&self, instance: &Value) -> String {
        owner(self.pod(instance))
    }

    fn used(&self, answer: &Rows) {
        let (since, until) = ("2026-11-23T06:15:00Z", "2026-11-23T06:19:00Z");
        let [since, until]: [Timestamp; 2] = [since, until].map(|at| at.parse().unwrap());
        let mut expected: BTreeMap<(&str, String), Option<f64>> = BTreeMap::new();
        for one in &self.instances {
            let key = (text(one, "namespace"), self.owner(one));
            let hours = expected.entry(key).or_insert(Some(0.0));
            // Of some the watch saw no end.
            let end = one["finished_at"]
                .is_string()
                .then(|| time(&one["finished_at"]));
            let took = end.map(|end| {
                end.min(until)
                    .duration_since(time(&one["started_at"]).max(since))
            });
            *hours = hours
                .zip(took)
                .map(|(hours, took)| hours + took.as_secs_f64() / 3_600.0);
        }
        assert_eq!(answer.len(), expected.len());
        let mut compared = 0;
        for row in answer {
            let hours: f64 = row[2].parse().unwrap();
            if let Some(expected) = expected[&(&*row[0], row[1].clone())] {
                assert!((hours - expected).abs() <= 0.000_501, "{row:?} {expected}");
                compared += 1;
            }
        }
        assert!(compared > 20, "{compared}");
    }

    fn by_day(&self, answer: &Rows) {
        let mut expected: BTreeMap<(&str, String, &str), u64> = BTreeMap::new();
        for one in self.instances.iter().filter(|one| one["restart"] != 0) {
            let key = (
                text(one, "namespace"),
                self.owner(one),
                text(one, "container"),
            );
            *expected.entry(key).or_default() += 1;
        }
        let told = answer.iter().map(|row| {
            assert_eq!(row[0], "2026-11-23");
            (
                (&*row[1], row[2].clone(), &*row[3]),
                row[4].parse().unwrap(),
            )
        });
        assert_eq!(told.collect::<BTreeMap<_, u64>>(), expected);
    }

    fn reasons(&self, answer: &Rows) {
        let mut expected: BTreeMap<(&str, String), u64> = BTreeMap::new();
        for one in self
            .instances
            .iter()
            .filter(|one| one["finished_at"].is_string())
        {
            let key = (text(one, "reason"), one["exit_code"].to_string());
            *expected.entry(key).or_default() += 1;
        }
        let told = answer
            .iter()
            .map(|row| ((&*row[0], row[1].clone()), row[2].parse().unwrap()));
        assert_eq!(told.collect::<BTreeMap<_, u64>>(), expected);
    }

    fn rollouts(&self, answer: &Rows) {
        type Key<'t> = (&'t str, String, &'t str);
        let mut images: BTreeMap<Key, BTreeMap<&str, Timestamp>> = BTreeMap::new();
        let of_workloads = self
            .instances
            .iter()
            .filter(|one| !self.pod(one)["owners"][0].is_null());
        for one in of_workloads.filter(|one| one["image"].as_str().is_some_and(|it| !it.is_empty()))
        {
            let key = (
                text(one, "namespace"),
                self.owner(one),
                text(one, "container"),
            );
            let at = time(&one["started_at"]);
            let first = images
                .entry(key)
                .or_default()
                .entry(text(one, "image"))
                .or_insert(at);
            *first = at.min(*first);
        }
        let mut expected = BTreeSet::new();
        for ((namespace, owner, container), images) in images {
            let mut images: Vec<_> = images.into_iter().map(|(image, at)| (at, image)).collect();
            images.sort_unstable();
            for pair in images.windows(2) {
                let [(_, before), (at, image)] = pair else {
                    unreachable!()
                };
                let at = as_told(*at);
                expected.insert(
                    [namespace, &*owner, container, &*at, before, image].map(str::to_owned),
                );
            }
        }
        let told = answer
            .iter()
            .map(|row| <[String; 6]>::try_from(row.clone()).unwrap());
        assert_eq!(told.collect::<BTreeSet<_>>(), expected);
        assert!(!answer.is_empty());
    }

    fn kills(&self, answer: &Rows) {
        let killed = self
            .instances
            .iter()
            .filter(|one| one["reason"] == "OOMKilled");
        assert_eq!(
            *answer,
            [["2026-11-23".to_owned(), killed.count().to_string()]]
        );
    }

    fn restarting(&self, answer: &Rows) {
        let number = |cell: &String| cell.parse::<usize>().expect("a number");
        let counted: usize = answer.iter().map(|row| number(&row[2])).sum();
        let restarted = self.instances.iter().filter(|one| one["restart"] != 0);
        assert_eq!(counted, restarted.count());
    }

    /// No instance takes longer than the recording, and each namespace has some.
    fn hours(&self, answer: &Rows) {
        let mut instances: BTreeMap<&str, f64> = BTreeMap::new();
        for instance in &self.instances {
            *instances.entry(text(instance, "namespace")).or_default() += 1.0;
        }
        assert_eq!(answer.len(), instances.len());
        for row in answer {
            let hours: f64 = row[2].parse().expect("hours");
            let most = instances[&*row[0]] * (jiff::Timestamp::now().as_second() as f64 / 3_600.0);
            assert!((0.0..=most).contains(&hours), "{row:?}");
        }
    }

    fn most(&self, answer: &Rows) {
        let mut images: BTreeMap<&str, usize> = BTreeMap::new();
        for instance in &self.instances {
            *images.entry(text(instance, "image")).or_default() += 1;
        }
        for [image, instances, _] in answer.iter().map(|row| [&row[0], &row[1], &row[2]]) {
            // Where only a last state was seen there is none.
            let image = image.replace("\\N", "");
            assert_eq!(images[&*image].to_string(), *instances, "{image}");
        }
        assert!(answer.len() > 3);
    }

    fn address(&self, answer: &Rows) {
        let [row] = &answer[..] else {
            panic!("{answer:?}");
        };
        let at: Timestamp = "2026-11-23T06:15:28Z".parse().unwrap();
        let had = self.pods.iter().filter(|pod| {
            let has_it = pod["pod_ips"]
                .as_array()
                .unwrap()
                .contains(&"10.244.1.8".into());
            has_it && time(&pod["first_seen"]) <= at && time(&pod["removed_at"]) > at
        });
        let had: Vec<[&str; 4]> = had
            .map(|pod| ["namespace", "name", "uid", "node"].map(|key| text(pod, key)))
            .collect();
        assert_eq!(had, [[&*row[0], &*row[1], &*row[2], &*row[3]]]);
    }

    fn images(&self, answer: &Rows) {
        let mut images: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for instance in self.in_namespace("statefulset-38e") {
            images
                .entry(text(instance, "image_id"))
                .or_default()
                .push(instance);
        }
        // Both images ran in as many pods, so they stand by name.
        let expected = images.iter().map(|(image, instances)| {
            let starts = || instances.iter().map(|one| time(&one["started_at"]));
            vec![
                (*image).to_owned(),
                uids(instances).to_string(),
                instances.len().to_string(),
                as_told(starts().min().unwrap()),
                as_told(starts().max().unwrap()),
            ]
        });
        assert_eq!(*answer, expected.collect::<Rows>());
    }

    fn memory(&self, answer: &Rows) {
        let of_oom = self.in_namespace("crash-3a2");
        let of_oom = of_oom.filter(|one| one["pod"] == "oom" && one["exit_code"] == 137);
        let kills = of_oom.count().to_string();
        assert_eq!(
            *answer,
            [["2026-11-23", "crash-3a2", "oom", "main", &*kills]]
        );
    }

    fn deleted(&self, answer: &Rows) {
        let collector = "system:serviceaccount:kube-system:generic-garbage-collector";
        let told: Vec<&[String]> = answer.iter().map(|row| &row[..3]).collect();
        assert_eq!(
            told,
            [
                ["evicted", "kubernetes-admin", "2"],
                ["garbage-collected", collector, "3"]
            ]
        );
        // The drain asked before it was done, the collector after the deployment was deleted.
        let drained = self.did("drain", "kubectl drain");
        let deleted = self.did("drain", "kubectl delete");
        assert!(answer[0][4] < as_told(drained), "{answer:?}");
        assert!(answer[1][3] > as_told(deleted), "{answer:?}");
    }

    fn node(&self, answer: &Rows) {
        let lost = as_told(self.did("nodelost", "node lose"));
        let on_it = self.in_namespace("nodelost-38c");
        let on_it = on_it.filter(|one| one["node"] == "worker-5");
        let mut expected: Vec<[&str; 3]> = on_it
            .map(|one| ["namespace", "pod", "container"].map(|key| text(one, key)))
            .collect();
        expected.sort_unstable();
        let told: Vec<&[String]> = answer.iter().map(|row| &row[..3]).collect();
        assert_eq!(told, expected);
        for row in answer {
            assert!(
                row[4] < lost && row[5] > lost && row[6] == "false",
                "{row:?}"
            );
        }
    }

    fn short(&self, answer: &Rows) {
        let mut owners: BTreeMap<(&str, String), u64> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| pod["removed_at"].is_string()) {
            let lived = time(&pod["removed_at"]).duration_since(time(&pod["created"]));
            if lived.as_secs() < 60 {
                *owners
                    .entry((text(pod, "namespace"), owner(pod)))
                    .or_default() += 1;
            }
        }
        let mut expected: Vec<(u64, &str, String)> = owners
            .into_iter()
            .filter(|(_, pods)| *pods > 1)
            .map(|((namespace, owner), pods)| (pods, namespace, owner))
            .collect();
        expected.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, &a.2).cmp(&(b.1, &b.2))));
        let told: Vec<(u64, &str, String)> = answer
            .iter()
            .map(|row| (row[2].parse().unwrap(), &*row[0], row[1].clone()))
            .collect();
        assert_eq!(told, expected);
    }

    fn restarts(&self, answer: &Rows) {
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for instance in &self.instances {
            let container = (text(instance, "pod_uid"), text(instance, "container"));
            let count = counts.entry(container).or_default();
            *count = instance["restart"].as_u64().unwrap().max(*count);
        }
        let mut expected: BTreeMap<(&str, String), (u64, u64)> = BTreeMap::new();
        for pod in &self.pods {
            let of_pod = counts
                .iter()
                .filter(|((uid, _), _)| *uid == text(pod, "uid"));
            let restarts: u64 = of_pod.map(|(_, count)| count).sum();
            if restarts > 0 {
                let (sum, pods) = expected
                    .entry((text(pod, "namespace"), owner(pod)))
                    .or_default();
                *sum += restarts;
                *pods += 1;
            }
        }
        let told = answer.iter().map(|row| {
            let count = |place: usize| row[place].parse::<u64>().unwrap();
            ((&*row[0], row[1].clone()), (count(2), count(3)))
        });
        assert_eq!(told.collect::<BTreeMap<_, _>>(), expected);
        let sums: Vec<u64> = answer.iter().map(|row| row[2].parse().unwrap()).collect();
        assert!(sums.is_sorted_by(|a, b| a >= b), "{sums:?}");
    }

    fn ends(&self, answer: &Rows) {
        // Of pods that are gone: what still runs has no end that could be known.
        let gone: BTreeSet<&str> = self
            .pods
            .iter()
            .filter(|pod| pod["removed_at"].is_string())
            .map(|pod| text(pod, "uid"))
            .collect();
        let unseen = self
            .instances
            .iter()
            .filter(|one| one["finished_at"].is_null() && gone.contains(text(one, "pod_uid")))
            // What a static pod runs does not end with its image in the API.
            .filter(|one| text(one, "namespace") != "kube-system");
        let mut expected: Vec<[String; 4]> = unseen
            .map(|one| {
                let [namespace, pod, container] =
                    ["namespace", "pod", "container"].map(|key| text(one, key).to_owned());
                [namespace, pod, container, as_told(time(&one["started_at"]))]
            })
            .collect();
        expected.sort_unstable();
        let told: Vec<&[String]> = answer.iter().map(|row| &row[..4]).collect();
        assert_eq!(told, expected);
    }

    /// Whom the workload left no time, of the pods that ran.
    fn forced(&self, answer: &Rows) {
        let admin = "kubernetes-admin";
        let told: Vec<&[String]> = answer.iter().map(|row| &row[..3]).collect();
        assert_eq!(
            told,
            [
                [admin, "reuse-3aa", "4"],
                [admin, "force-391", "3"],
                [admin, "collection-39a", "1"],
                [admin, "statefulset-38e", "1"],
            ]
        );
        let by_force = self.done.iter().filter(|one| {
            text(one, "target").contains("--force ") && text(one, "op") == "kubectl delete"
        });
        for one in by_force {
            let namespace = text(one, "namespace");
            assert!(answer.iter().any(|row| row[1] == namespace), "{one}");
        }
    }

    fn flaw(&self, answer: &Rows) {
        let image = "registry.example.com/shop/api@sha256:\
                     ebbd437a4b9a5b05f10c2f7f927dcb8b887d11d47e09014f2bc3f424e8dcb4da";
        let ran: Vec<&Value> = self
            .instances
            .iter()
            .filter(|one| one["image_id"] == image)
            .collect();
        let first = ran.iter().map(|one| time(&one["started_at"])).min();
        let last = ran.iter().map(|one| time(&one["finished_at"])).max();
        let expected = [
            "demo",
            "rollout-3a6",
            "web",
            &uids(&ran).to_string(),
            &as_told(first.unwrap()),
            &as_told(last.unwrap()),
            "0",
        ];
        assert_eq!(*answer, [expected]);
    }

    fn in_namespace(&self, name: &'static str) -> impl Iterator<Item = &Value> {
        let instances = self.instances.iter();
        instances.filter(move |one| one["namespace"] == name)
    }

    /// When the workload had done something for the last time.
    fn did(&self, scenario: &str, what: &str) -> Timestamp {
        let lines = self.done.iter();
        let mut lines = lines.filter(|one| one["scenario"] == scenario && one["op"] == what);
        time(&lines.next_back().unwrap()["at"])
    }
}

fn uids(instances: &[&Value]) -> usize {
    let uids: BTreeSet<&str> = instances.iter().map(|one| text(one, "pod_uid")).collect();
    uids.len()
}

/// The workload of a pod; the pod itself where it has none.
fn owner(pod: &Value) -> String {
    let Some(owner) = pod["owners"].get(0) else {
        return text(pod, "name").to_owned();
    };
    let name = text(owner, "name");
    let inferred = match text(owner, "kind") {
        "ReplicaSet" => pod["labels"]["pod-template-hash"].as_str(),
        "Job" => name.strip_prefix("minutely-"),
        _ => None,
    };
    let name = match inferred {
        Some(tail) => name.strip_suffix(tail).unwrap().trim_end_matches('-'),
        None => name,
    };
    name.to_owned()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// A time as [`exact`] writes it.
fn as_told(time: Timestamp) -> String {
    time.strftime(FORM).to_string()
}
