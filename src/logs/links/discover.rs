//! The page Discover of Kibana and of OpenSearch Dashboards.
//!
//! The state of both is Rison in the URL's fragment. OpenSearch Dashboards keeps it in other places from 2.10 on; older
//! ones are not linked to.

use super::rison::quoted;
use super::{Asked, address, encoded};
use crate::logs::layout::Fields;
use crate::logs::link::Link;

/// Discover, with what it shows.
pub struct Discover {
    address: String,
    form: Form,
    /// The ID of the data view, or index pattern.
    view: String,
    time: String,
    /// The fields with the line.
    columns: Vec<String>,
}

enum Form {
    Kibana { space: Option<String> },
    OpenSearch,
}

impl Discover {
    /// # Errors
    ///
    /// When a key is missing or invalid.
    pub fn kibana(link: &Link, fields: &Fields) -> Result<Discover, String> {
        let view = link.needs("data_view", &link.data_view)?;
        let space = link.space.clone();
        Discover::open(link, Form::Kibana { space }, view, fields)
    }

    /// # Errors
    ///
    /// When a key is missing or invalid.
    pub fn opensearch(link: &Link, fields: &Fields) -> Result<Discover, String> {
        let view = link.needs("index_pattern", &link.index_pattern)?;
        Discover::open(link, Form::OpenSearch, view, fields)
    }

    fn open(link: &Link, form: Form, view: &str, fields: &Fields) -> Result<Discover, String> {
        Ok(Discover {
            address: address(link, None)?,
            form,
            view: view.to_owned(),
            time: fields.time.clone().unwrap_or("@timestamp".to_owned()),
            columns: fields.line.clone(),
        })
    }

    pub fn url(&self, asked: &Asked) -> Option<String> {
        let query = quoted(asked.query.as_deref()?);
        let query = format!("(language:lucene,query:{query})");
        let to = match asked.is_running {
            true => "now".to_owned(),
            false => asked.end_iso(),
        };
        let time = format!("(from:{},to:{})", quoted(&asked.start_iso()), quoted(&to));
        let (view, sort) = (quoted(&self.view), self.sort());
        let columns: Vec<String> = self.columns.iter().map(|field| quoted(field)).collect();
        let columns = columns.join(",");
        let address = &self.address;
        Some(match &self.form {
            Form::Kibana { space } => {
                let space = space.as_deref().filter(|space| *space != "default");
                let space = space.map(|space| format!("/s/{}", encoded(space)));
                let global = encoded(&format!("(time:{time})"));
                let own = encoded(&format!(
                    "(columns:!({columns}),index:{view},query:{query},sort:{sort})"
                ));
                let space = space.unwrap_or_default();
                format!("{address}{space}/app/discover#/?_g={global}&_a={own}")
            }
            Form::OpenSearch => {
                let own = encoded(&format!(
                    "(discover:(columns:!({columns}),isDirty:!f,sort:{sort}),\
                     metadata:(indexPattern:{view},view:discover))"
                ));
                let global = encoded(&format!(
                    "(filters:!(),refreshInterval:(pause:!t,value:0),time:{time})"
                ));
                let query = encoded(&format!("(filters:!(),query:{query})"));
                format!("{address}/app/data-explorer/discover#?_a={own}&_g={global}&_q={query}")
            }
        })
    }

    fn sort(&self) -> String {
        format!("!(!({},asc))", quoted(&self.time))
    }
}
