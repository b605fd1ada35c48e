//! One link to a user interface, as it is configured.

use serde::{Deserialize, Serialize};

use super::identity::Identity;

/// Where a person sees a store's lines: one `[[logs.links]]` block.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub kind: LinkKind,
    /// How answers call it; without it the word of its kind.
    #[serde(default)]
    pub name: Option<String>,
    /// `https://host`, with the path below which the user interface is, if it has one. VMUI: without it the store's.
    #[serde(default)]
    pub address: Option<String>,
    /// Grafana: the UID of the data source.
    #[serde(default)]
    pub data_source: Option<String>,
    /// Grafana: the number of the organization; without it 1.
    #[serde(default)]
    pub organization: Option<u32>,
    /// Kibana: the ID of the data view.
    #[serde(default)]
    pub data_view: Option<String>,
    /// Kibana: the space, where it is not the default one.
    #[serde(default)]
    pub space: Option<String>,
    /// OpenSearch Dashboards: the ID of the index pattern.
    #[serde(default)]
    pub index_pattern: Option<String>,
    /// The URL of a template, with placeholders in braces.
    #[serde(default)]
    pub template: Option<String>,
    /// By what an instance is found; without it the strongest identity that the agent always writes.
    #[serde(default)]
    pub identity: Option<Identity>,
}

/// The user interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    Grafana,
    Kibana,
    // Else it would be open-search.
    #[serde(rename = "opensearch-dashboards")]
    OpenSearchDashboards,
    Vmui,
    Template,
}

impl LinkKind {
    /// As it is configured.
    pub fn word(self) -> &'static str {
        match self {
            LinkKind::Grafana => "grafana",
            LinkKind::Kibana => "kibana",
            LinkKind::OpenSearchDashboards => "opensearch-dashboards",
            LinkKind::Vmui => "vmui",
            LinkKind::Template => "template",
        }
    }
}

impl Link {
    /// The keys that only some kinds have, and whether they are given.
    fn own_keys(&self) -> [(&'static str, bool, &'static [LinkKind]); 7] {
        use LinkKind::{Grafana, Kibana, OpenSearchDashboards, Template, Vmui};
        let with_address: &[LinkKind] = &[Grafana, Kibana, OpenSearchDashboards, Vmui];
        [
            ("address", self.address.is_some(), with_address),
            ("data_source", self.data_source.is_some(), &[Grafana]),
            ("organization", self.organization.is_some(), &[Grafana]),
            ("data_view", self.data_view.is_some(), &[Kibana]),
            ("space", self.space.is_some(), &[Kibana]),
            (
                "index_pattern",
                self.index_pattern.is_some(),
                &[OpenSearchDashboards],
            ),
            ("template", self.template.is_some(), &[Template]),
        ]
    }

    /// # Errors
    ///
    /// When a key is given that links of its kind do not have.
    pub fn check(&self) -> Result<(), String> {
        let mut keys = self.own_keys().into_iter();
        let foreign = keys.find(|(_, is_given, of)| *is_given && !of.contains(&self.kind));
        match foreign {
            Some((key, ..)) => Err(format!("a link of kind {} has no {key}", self.kind.word())),
            None => Ok(()),
        }
    }

    /// The value of a key that its kind needs.
    ///
    /// # Errors
    ///
    /// When it is absent or empty.
    pub fn needs<'l>(&self, key: &str, value: &'l Option<String>) -> Result<&'l str, String> {
        let value = value.as_deref().filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("a link of kind {} needs {key}", self.kind.word()))
    }
}
