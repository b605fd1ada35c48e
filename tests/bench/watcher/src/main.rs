//! Watches all pods of an API server and drops them: `watcher URL CHANGES`. It prints `listed` when it has them, `changed`
//! after so many changes, and ends with its input.

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube_client::{Api, Client, Config};
use kube_runtime::watcher::{Config as Watch, Event, watcher};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let changes = arguments.next().expect("a number of changes");
    let changes: usize = changes.parse().expect("a number");
    let client = Client::try_from(Config::new(url.parse().expect("a URL"))).expect("a client");
    let api: Api<Pod> = Api::all(client);
    let mut events = std::pin::pin!(watcher(api, Watch::default()));
    let mut seen = 0;
    while seen < changes {
        match events.next().await.expect("it never ends").expect("an event") {
            Event::InitDone => println!("listed"),
            Event::Apply(_) | Event::Delete(_) => seen += 1,
            Event::Init | Event::InitApply(_) => {}
        }
    }
    println!("changed");
    _ = std::io::stdin().lines().count();
}
