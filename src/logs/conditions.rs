//! What records of an instance say, by each identity.

use super::identity::Identity;
use super::instance::Instance;
use super::layout::Fields;

/// What a record must say to be of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The field has one of these values.
    Is { field: String, values: Vec<String> },
    /// The field contains this text: a part of a path.
    Contains { field: String, part: String },
    /// The field is there, and not empty.
    Present { field: String },
}

impl Condition {
    pub fn field(&self) -> &str {
        match self {
            Condition::Is { field, .. }
            | Condition::Contains { field, .. }
            | Condition::Present { field } => field,
        }
    }
}

/// What records of the instance say, found by this identity; `None` where the instance or the store does not know it.
pub fn conditions(identity: Identity, fields: &Fields, of: &Instance) -> Option<Vec<Condition>> {
    let container = || is(&fields.container, vec![of.container.clone()]);
    match identity {
        Identity::ContainerId => {
            let id = of.container_id.clone()?;
            let runtime = of.runtime.as_deref().unwrap_or("containerd");
            let values = vec![format!("{runtime}://{id}"), id];
            Some(vec![is(&fields.container_id, values)?])
        }
        Identity::Restart => {
            let restart = || is(&fields.restart, vec![of.restart.to_string()]);
            let by_fields = || {
                let mut of_pod = pod(fields, of)?;
                of_pod.extend([container()?, restart()?]);
                Some(of_pod)
            };
            by_fields().or_else(|| Some(vec![path(fields, of)?]))
        }
        Identity::Uid => {
            let mut of_pod = pod(fields, of)?;
            of_pod.push(container()?);
            Some(of_pod)
        }
        Identity::Names => {
            let mut names = pod_names(fields, of)?;
            names.push(container()?);
            Some(names)
        }
    }
}

fn is(field: &Option<String>, values: Vec<String>) -> Option<Condition> {
    let field = field.clone()?;
    Some(Condition::Is { field, values })
}

/// By its UID. For a static pod that is the hash of its configuration where an agent reads the names of folders, and the
/// mirror pod's UID where it asks the API server. The hash is what the pod's creator wrote: whoever may create pods could
/// name another pod's UID, so it counts together with the names alone.
fn pod(fields: &Fields, of: &Instance) -> Option<Vec<Condition>> {
    let field = fields.uid.clone()?;
    let mut values = vec![of.uid.to_string()];
    let names = of.config_hash.as_ref().and_then(|hash| {
        let names = pod_names(fields, of)?;
        values.insert(0, hash.clone());
        Some(names)
    });
    let mut conditions = vec![Condition::Is { field, values }];
    conditions.extend(names.into_iter().flatten());
    Some(conditions)
}

/// By its names; `None` where the store lacks one of them.
fn pod_names(fields: &Fields, of: &Instance) -> Option<Vec<Condition>> {
    let mut names = vec![
        is(&fields.namespace, vec![of.namespace.clone()])?,
        is(&fields.pod, vec![of.pod.clone()])?,
    ];
    // Where the store says which cluster, it must be this one; else it stands for its own.
    names.extend(is(&fields.cluster, vec![of.cluster.clone(), String::new()]));
    Some(names)
}

/// What every record of the instance says, whatever it is found by. Not its pod: fewer stores have that by a label.
pub fn names(fields: &Fields, of: &Instance) -> Vec<Condition> {
    let namespace = is(&fields.namespace, vec![of.namespace.clone()]);
    let container = is(&fields.container, vec![of.container.clone()]);
    namespace.into_iter().chain(container).collect()
}

/// Of all records of the instance's namespace; `None` where the store does not know namespaces.
pub fn namespace(fields: &Fields, of: &Instance) -> Option<Vec<Condition>> {
    let field = fields.namespace.clone()?;
    let values = vec![of.namespace.clone()];
    let mut conditions = vec![Condition::Is { field, values }];
    conditions.extend(cluster(fields, of));
    Some(conditions)
}

/// Where the store says which cluster, it must be this one; else it stands for its own.
fn cluster(fields: &Fields, of: &Instance) -> Option<Condition> {
    let field = fields.cluster.clone()?;
    let values = vec![of.cluster.clone(), String::new()];
    Some(Condition::Is { field, values })
}

/// As a kubelet lays files out; agents may write a folder in front, and rotations something behind.
fn path(fields: &Fields, of: &Instance) -> Option<Condition> {
    let Instance {
        namespace,
        pod,
        uid,
        config_hash,
        container,
        restart,
        ..
    } = of;
    let uid = match config_hash {
        Some(hash) => hash.clone(),
        None => uid.to_string(),
    };
    Some(Condition::Contains {
        field: fields.file.clone()?,
        part: format!("/{namespace}_{pod}_{uid}/{container}/{restart}.log"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Preset;
    use expect_test::{Expect, expect};

    const HASH: &str = "a07cde91bf6d35a331615330d5530d60";

    fn of() -> Instance {
        Instance {
            cluster: "prod".to_owned(),
            namespace: "shop".to_owned(),
            pod: "web-0".to_owned(),
            uid: uuid::Uuid::from_u128(7),
            container: "app".to_owned(),
            restart: 2,
            container_id: Some("38cb".to_owned()),
            runtime: Some("cri-o".to_owned()),
            ..Instance::default()
        }
    }

    fn check(preset: &str, identity: Identity, expected: Expect) {
        check_of(&of(), preset, identity, expected);
    }

    fn check_of(of: &Instance, preset: &str, identity: Identity, expected: Expect) {
        let conditions = conditions(identity, &Preset::all()[preset].fields, of);
        let lines = conditions
            .into_iter()
            .flatten()
            .map(|condition| match condition {
                Condition::Is { field, values } => format!("{field} in {values:?}\n"),
                Condition::Contains { field, part } => format!("{field} has {part:?}\n"),
                Condition::Present { field } => format!("{field} is there\n"),
            });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn opentelemetry_in_clickhouse() {
        let otel = "otel-clickhouse";
        check(
            otel,
            Identity::ContainerId,
            expect![[r#"
                ResourceAttributes['container.id'] in ["cri-o://38cb", "38cb"]
            "#]],
        );
        check(
            otel,
            Identity::Restart,
            expect![[r#"
                ResourceAttributes['k8s.pod.uid'] in ["00000000-0000-0000-0000-000000000007"]
                ResourceAttributes['k8s.container.name'] in ["app"]
                ResourceAttributes['k8s.container.restart_count'] in ["2"]
            "#]],
        );
        check(
            otel,
            Identity::Names,
            expect![[r#"
                ResourceAttributes['k8s.namespace.name'] in ["shop"]
                ResourceAttributes['k8s.pod.name'] in ["web-0"]
                ResourceAttributes['k8s.cluster.name'] in ["prod", ""]
                ResourceAttributes['k8s.container.name'] in ["app"]
            "#]],
        );
    }

    /// Of a static pod the folder has the hash; where the API server was asked it is the mirror pod's UID.
    #[test]
    fn static_pods() {
        let of = Instance {
            config_hash: Some(HASH.to_owned()),
            ..of()
        };
        let path = "filebeat-pods";
        check_of(
            &of,
            path,
            Identity::Restart,
            expect![[r#"
                log.file.path has "/shop_web-0_a07cde91bf6d35a331615330d5530d60/app/2.log"
            "#]],
        );
        check_of(
            &of,
            "otel-loki",
            Identity::Restart,
            expect![[r#"
                label:k8s_pod_uid in ["a07cde91bf6d35a331615330d5530d60", "00000000-0000-0000-0000-000000000007"]
                stream:k8s_namespace_name in ["shop"]
                label:k8s_pod_name in ["web-0"]
                label:k8s_cluster_name in ["prod", ""]
                stream:k8s_container_name in ["app"]
                label:k8s_container_restart_count in ["2"]
            "#]],
        );
        // Without its names the hash could be any pod's UID.
        let fields = Fields {
            uid: Some("uid".to_owned()),
            container: Some("container".to_owned()),
            pod: Some("pod".to_owned()),
            ..Fields::default()
        };
        let conditions = conditions(Identity::Uid, &fields, &of);
        assert!(!format!("{conditions:?}").contains(HASH), "{conditions:?}");
    }
}
