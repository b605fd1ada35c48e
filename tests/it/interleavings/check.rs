//! What has to hold.

use std::collections::BTreeMap;

use super::model::{Asked, Got, Model, Next};
use super::reader::Reader;
use super::rows::Row;
use super::scenario::Load;
use super::store::{ALL, Store};

/// A load that is confirmed is stored: in some row of its pod, and there are rows of its instances.
pub fn is_stored(model: &Model, store: &Store, load: Load) -> Result<(), String> {
    let known = model.rows.borrow();
    let recent = store.recent.iter().map(|part| part.row);
    let all = recent.chain(store.ended.iter().map(|filed| filed.row));
    let rows: Vec<&Row> = all.map(|id| known.row(id)).collect();
    let pods = rows.iter().filter_map(|row| row.pod.as_ref());
    let facts = pods.fold(0, |facts, pod| facts | pod.facts);
    for number in load {
        let fact = &model.scenario.facts[usize::from(*number)];
        if fact.pod_uid != 0 && facts & (1 << number) == 0 {
            return Err(format!("fact {number} is confirmed and in no row"));
        }
        if let Some(instance) = &fact.instance {
            let key = known.key_of(fact.pod_uid, instance);
            if !rows.iter().any(|row| Some(row.key) == key) {
                return Err(format!(
                    "fact {number} is confirmed, and its instance has no row"
                ));
            }
        }
    }
    Ok(())
}

/// No life goes away or is there twice, and none has a lower version than before.
pub fn goes_on(model: &Model, before: &Store, after: &Store) -> Result<(), String> {
    if before.recent.len() == after.recent.len() && before.ended.len() == after.ended.len() {
        return Ok(());
    }
    let known = model.rows.borrow();
    let mut all: Vec<u8> = Reader::answer(model, after, ALL)
        .into_iter()
        .map(|id| known.row(id).key)
        .collect();
    all.sort_unstable();
    if let Some(twice) = all.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("life {} is there twice", twice[0]));
    }
    let now = after.versions(&known);
    for (key, version) in before.versions(&known) {
        match now.get(&key) {
            Some(now) if *now >= version => {}
            Some(_) => return Err(format!("the version of life {key} goes back")),
            None => return Err(format!("life {key} goes away")),
        }
    }
    Ok(())
}

/// What readers get is what all facts say that were ever stored, folded in one go.
pub fn is_right(model: &Model, store: &Store) -> Result<(), String> {
    let expected = expected(model, store);
    let answer = Reader::answer(model, store, ALL);
    let known = model.rows.borrow();
    let mut came: BTreeMap<u8, &Row> = BTreeMap::new();
    for id in answer {
        let row = known.row(id);
        if came.insert(row.key, row).is_some() {
            return Err(format!("life {} is there twice", row.key));
        }
    }
    for id in &expected {
        let row = known.row(*id);
        match came.remove(&row.key) {
            Some(found) if found.content == row.content => {}
            Some(found) => {
                return Err(format!(
                    "life {} is wrong: {found:?}, should be {row:?}",
                    row.key
                ));
            }
            None => return Err(format!("life {} is missing", row.key)),
        }
    }
    match came.into_keys().next() {
        Some(key) => Err(format!("life {key} should not be there")),
        None => Ok(()),
    }
}

fn expected(model: &Model, store: &Store) -> Vec<u16> {
    let facts = store.ever().into_iter();
    let facts: Vec<(u8, u64, bool)> = facts.map(|(fact, late)| (fact, 1, late)).collect();
    let read_at = super::facts::T0;
    let mut id = model.asked(Asked {
        scope: true,
        raced: false,
        got: vec![Got::Log(facts, read_at), Got::Recent(Vec::new(), read_at)],
    });
    loop {
        let got = match &*model.next(id) {
            Next::Ended => Got::Ended(Vec::new()),
            Next::Said => Got::Said(store.said(ALL)),
            Next::Write(rows) => return rows.concat(),
            Next::Now => Got::Now(read_at),
            Next::Instances(pods) => Got::Instances(pods.clone(), Vec::new()),
            next => unreachable!("{next:?}"),
        };
        id = model.and(id, got);
    }
}
