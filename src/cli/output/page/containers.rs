//! The containers of a page.

use super::super::containers::{lifetime, state_with_code};
use super::{Text, cell, words};
use crate::query::{Container, LogsLink, Page, Waiting};

/// As many instances of a container are written, the newest.
const INSTANCES_MAX: usize = 10;

/// The head of a page about one instance.
pub fn head(page: &Page, text: &mut Text) {
    for container in &page.containers {
        let name = format!("{} #{}", container.container, container.restart);
        text.field(
            "Container",
            format!("{name} ({} container)", container.kind),
        );
        text.field("Container ID", id(container));
        let [image, image_id] = [&container.image, &container.image_id];
        text.field("Image", cell::text(image.as_deref(), cell::UNKNOWN));
        text.field("Image ID", cell::text(image_id.as_deref(), cell::UNKNOWN));
        text.field("State", state_with_code(container));
        text.field("Ran", ran(container, text));
        if let Some(why) = &container.ended_why {
            text.field("Ended", words::why(why, container.ended_by.as_deref()));
        }
        for (place, link) in container.logs.iter().enumerate() {
            let name = if place == 0 { "Logs" } else { "" };
            text.field(name, of_link(link));
        }
        text.text.push('\n');
    }
}

/// Container by container, in the order of their first starts.
pub fn list(page: &Page, text: &mut Text) {
    let mut names: Vec<&str> = Vec::new();
    let instances = page
        .containers
        .iter()
        .map(|container| &*container.container);
    for name in instances.chain(page.waiting.iter().map(|waiting| &*waiting.container)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        text.heading("Containers: none started");
        return;
    }
    text.heading("Containers:");
    for name in names {
        let waiting = page
            .waiting
            .iter()
            .find(|waiting| waiting.container == *name);
        let instances = page.containers.iter();
        let instances = instances.filter(|container| container.container == *name);
        container(name, &instances.collect::<Vec<_>>(), waiting, text);
    }
    if page.containers_left_out > 0 {
        let (left_out, uid) = (page.containers_left_out, page.pod.pod_uid);
        text.line(&format!(
            "  ... {left_out} older instances: bygone get containers --uid {uid}"
        ));
    }
}

fn container(name: &str, instances: &[&Container], waiting: Option<&Waiting>, text: &mut Text) {
    let Some(last) = instances.last() else {
        let reason = waiting.map_or(cell::UNKNOWN, |waiting| &waiting.reason);
        text.line(&format!(
            "  {name}: never started; last reported waiting: {reason}"
        ));
        return;
    };
    let restarts = match last.restart {
        1 => "1 restart".to_owned(),
        several => format!("{several} restarts"),
    };
    text.line(&format!("  {name} ({} container), {restarts}:", last.kind));
    let hidden = instances.len().saturating_sub(INSTANCES_MAX);
    if hidden > 0 {
        let uid = last.pod_uid;
        text.line(&format!(
            "    ... {hidden} earlier instances: bygone get containers --uid {uid}"
        ));
    }
    let mut before: Option<&Container> = None;
    for container in &instances[hidden..] {
        instance(container, before, text);
        before = Some(container);
    }
}

fn instance(container: &Container, before: Option<&Container>, text: &mut Text) {
    let (restart, state, ran) = (
        container.restart,
        state_with_code(container),
        ran(container, text),
    );
    let why = container.ended_why.as_deref();
    let why = why.map(|why| format!("   {why}")).unwrap_or_default();
    text.line(&format!("    #{restart}   {state}   {ran}{why}"));
    text.line(&format!("         {}", id(container)));
    for link in &container.logs {
        text.line(&format!("         {}", of_link(link)));
    }
    let image = |container: &Container| (container.image.clone(), container.image_id.clone());
    if before.map(image) == Some(image(container)) {
        return;
    }
    for image in [&container.image, &container.image_id]
        .into_iter()
        .flatten()
    {
        text.line(&format!("         {image}"));
    }
}

/// Which lines, where, and the URL at the end, which a terminal opens.
fn of_link(link: &LogsLink) -> String {
    format!("{}, {}: {}", link.store, link.name, link.url)
}

fn id(container: &Container) -> String {
    let id = container.container_id.as_deref().unwrap_or(cell::NONE);
    match &container.runtime {
        Some(runtime) => format!("{runtime}://{id}"),
        None => id.to_owned(),
    }
}

/// From when to when, and how long.
fn ran(container: &Container, text: &Text) -> String {
    let from = text.time(container.started_at);
    let to = container.ended_at.map(|at| text.exact(at));
    let lifetime = lifetime(container, text.look);
    match to {
        Some(to) => format!("{from} to {to}, {lifetime}"),
        None => format!("since {from}, {lifetime}"),
    }
}
