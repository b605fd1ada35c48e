//! How lines are looked for: the selector and the fields of a Loki, and the queries that these allow.

use std::collections::HashMap;

use super::field::Field;
use super::logql::{Builder, Selector};
use crate::logs::conditions::Condition;
use crate::logs::layout::Fields;

/// What every query of a Loki is made of.
pub struct Search {
    from: Selector,
    /// By their texts, as conditions name them.
    fields: HashMap<String, Field>,
}

impl Search {
    /// # Errors
    ///
    /// When the selector or a field is invalid, or no label would narrow the streams.
    pub fn parse(from: &str, fields: &Fields) -> Result<Search, String> {
        let found_by = fields.found_by();
        let parsed = found_by.map(|text| Ok((text.clone(), Field::parse(text)?)));
        let parsed: HashMap<String, Field> = parsed.collect::<Result<_, String>>()?;
        let from = Selector::parse(from)?;
        // These are in every query.
        let names = [&fields.namespace, &fields.container];
        let mut names = names.into_iter().flatten();
        let names_narrow = names.any(|name| matches!(parsed[name], Field::Stream(_)));
        if !from.narrows() && !names_narrow {
            return Err(
                "Loki needs a label to find streams by: set from to a selector like {job=\"x\"}, or \
                 fields.namespace to stream:LABEL"
                    .to_owned(),
            );
        }
        Ok(Search {
            from,
            fields: parsed,
        })
    }

    /// A query for lines that fulfil the conditions. `names` narrow the streams.
    pub fn of(&self, conditions: &[Condition], names: &[Condition]) -> Builder {
        let mut builder = Builder::new(&self.from);
        let field = |condition: &Condition| &self.fields[condition.field()];
        for name in names {
            builder.stream(field(name), name);
        }
        for condition in conditions {
            builder.condition(field(condition), condition);
        }
        builder
    }
}
