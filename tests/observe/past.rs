//! Two weeks, asked for beside the ticks.

use floorkeeper::observe::NoPast;

use super::*;

/// The past of `policies`, once all of them have told it.
async fn looked_back(rig: &mut Rig, policies: &[Arc<Subscription>], from: Timestamp) -> Vec<LookedBack> {
    rig.look_backs.send_modify(|wanted| wanted.extend(policies.iter().map(|one| (one.policy.clone(), from))));
    let mut told = Vec::new();
    while told.len() < policies.len() {
        let next = async {
            loop {
                // Observations that nobody takes would hold the source up.
                tokio::select! {
                    past = rig.pasts.recv() => return past.expect("the observer lives"),
                    _ = rig.events.recv() => {}
                }
            }
        };
        told.push(timeout(BOUND, next).await.expect("in time"));
    }
    told
}

#[tokio::test]
async fn two_weeks_are_asked_for_beside_the_ticks_and_once() {
    let name = |number: usize| ("shop".to_owned(), format!("app-{number}"));
    let server = Arc::new(Server { workloads: (0..20).map(name).collect(), ..Server::default() });
    let url = serve(Arc::clone(&server)).await;
    let policies: Vec<_> =
        (0..20).map(|i| Arc::new(subscription("shop", &format!("app-{i}"), &[Query::Demand(None)]))).collect();
    let mut rig = start(&[source("default", &url, Duration::from_millis(200))], policies.clone());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let from = Timestamp(u64::try_from(now).unwrap() - 14 * 86_400_000);
    let told = looked_back(&mut rig, &policies, from).await;
    // Sixteen policies in pieces of 625 points, then four in pieces of 2,500.
    assert_eq!(server.range.load(Ordering::SeqCst), 7 + 2, "{:?}", server.queries.lock().unwrap());
    for one in &told {
        let past = one.past.as_ref().expect("it is known");
        assert!(past.len() == 1 && past[0].len() >= 4 && past[0].is_sorted_by_key(|sample| sample.at), "{past:?}");
        assert!(past[0][0].at.0.abs_diff(from.0) < 300_000, "from the beginning");
    }
    assert!(server.instant.load(Ordering::SeqCst) > 3, "meanwhile ticks go on");
    rig.observed("app-19", |observation| is_value(load(observation, 0))).await;
}

#[tokio::test]
async fn a_past_that_is_refused_is_told_and_delays_nothing() {
    let server = Arc::new(Server::default());
    *server.refuse.lock().unwrap() = Some(StatusCode::SERVICE_UNAVAILABLE);
    let url = serve(Arc::clone(&server)).await;
    let policies = [Arc::new(subscription("shop", "web", &[Query::Demand(None)]))];
    let mut rig = start(&[source("default", &url, Duration::from_millis(100))], policies.to_vec());
    let told = looked_back(&mut rig, &policies, Timestamp(0)).await;
    assert_eq!(told[0].past, Err(NoPast::Failed { signal: 0, why: Failure::Status(503) }));
}
