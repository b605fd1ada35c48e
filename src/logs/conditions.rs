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
    let is = |field: &Option<String>, values: Vec<String>| {
        let field = field.clone()?;
        Some(Condition::Is { field, values })
    };
    let uid = || is(&fields.uid, vec![of.uid.to_string()]);
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
            let by_fields = || Some(vec![uid()?, container()?, restart()?]);
            by_fields().or_else(|| Some(vec![path(fields, of)?]))
        }
        Identity::Uid => Some(vec![uid()?, container()?]),
        Identity::Names => {
            let mut names = vec![
                is(&fields.namespace, vec![of.namespace.clone()])?,
                is(&fields.pod, vec![of.pod.clone()])?,
                container()?,
            ];
            names.extend(cluster(fields, of));
            Some(names)
        }
    }
}

/// What every record of the instance says, whatever it is found by. Not its pod: fewer stores have that by a label.
pub fn names(fields: &Fields, of: &Instance) -> Vec<Condition> {
    let is = |field: &Option<String>, value: &String| {
        let (field, values) = (field.clone()?, vec![value.clone()]);
        Some(Condition::Is { field, values })
    };
    let namespace = is(&fields.namespace, &of.namespace);
    let container = is(&fields.container, &of.container);
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
        container,
        restart,
        ..
    } = of;
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

    fn check(preset: &str, identity: Identity, expected: Expect) {
        let of = Instance {
            cluster: "prod".to_owned(),
            namespace: "shop".to_owned(),
            pod: "web-0".to_owned(),
            uid: uuid::Uuid::from_u128(7),
            container: "app".to_owned(),
            restart: 2,
            container_id: Some("38cb".to_owned()),
            runtime: Some("cri-o".to_owned()),
            ..Instance::default()
        };
        let conditions = conditions(identity, &Preset::all()[preset].fields, &of);
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
                ResourceAttributes['k8s.container.name'] in ["app"]
                ResourceAttributes['k8s.cluster.name'] in ["prod", ""]
            "#]],
        );
    }
}
