use super::*;
use crate::lambda::tests::{Runtime, function, lambda_of};

async fn scheduler(every: Option<Duration>) -> Scheduler {
    let function = Function { schedule: every, ..function("waits", Duration::from_mins(1)) };
    let functions = [function];
    let lambda = lambda_of(functions.to_vec()).await;
    Scheduler::new(lambda, Clock::default(), &functions)
}

fn time(event: &[u8]) -> Timestamp {
    let event: Value = serde_json::from_slice(event).unwrap();
    event["time"].as_str().unwrap().parse().unwrap()
}

/// Lets everything else go on that can.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_function_is_run_with_the_event_of_eventbridge() {
    let scheduler = scheduler(Some(Duration::from_mins(1))).await;
    assert_eq!(scheduler.functions().collect::<Vec<_>>(), ["waits"]);
    let before = scheduler.inner.clock.now().as_second();
    let runtime = async {
        let runtime = Runtime::of(&scheduler.inner.lambda).await;
        let (id, event) = runtime.next().await;
        assert_eq!(runtime.respond(&id, "{\"done\": 3}").await, 202);
        event
    };
    let (answer, event) = tokio::join!(scheduler.run("waits"), runtime);
    assert_eq!(answer.unwrap(), json!({ "done": 3 }));
    assert!(time(&event).as_second() >= before);
    let mut event: Value = serde_json::from_slice(&event).unwrap();
    assert!(event["id"].take().as_str().unwrap().parse::<Uuid>().is_ok());
    assert_eq!(event["time"].take().as_str().unwrap().len(), "2026-11-23T06:20:00Z".len());
    let expected = json!({
        "version": "0",
        "id": null,
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": null,
        "region": "eu-north-1",
        "resources": ["arn:aws:scheduler:eu-north-1:000000000000:schedule/default/Play"],
        "detail": "{}",
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn what_is_not_scheduled_is_not_run() {
    let unscheduled = scheduler(None).await;
    for name in ["waits", "nobody"] {
        assert_eq!(unscheduled.run(name).await, Err(NotRun::Unknown(name.to_owned())));
    }
}

#[tokio::test]
async fn a_failure_is_told() {
    let scheduler = scheduler(Some(Duration::from_mins(1))).await;
    let runtime = async {
        let runtime = Runtime::of(&scheduler.inner.lambda).await;
        runtime.fail(&runtime.next().await.0, "why").await;
        runtime.respond(&runtime.next().await.0, "no JSON").await;
    };
    let runs = async { (scheduler.run("waits").await, scheduler.run("waits").await) };
    let ((failed, garbled), ()) = tokio::join!(runs, runtime);
    assert_eq!(failed, Err(NotRun::NoAnswer(NoAnswer::Failed("why".to_owned()))));
    assert!(matches!(garbled, Err(NotRun::NoJson(_))), "{garbled:?}");
}

#[tokio::test]
async fn a_moved_clock_runs_a_function_once() {
    let scheduler = scheduler(Some(Duration::from_mins(1))).await;
    let (clock, start) = (&scheduler.inner.clock, scheduler.inner.clock.now());
    scheduler.begin();
    clock.advance("PT59S").unwrap();
    clock.advance("P3Y").unwrap();
    let runtime = Runtime::of(&scheduler.inner.lambda).await;
    let (id, first) = runtime.next().await;
    assert!(time(&first).as_second() - start.as_second() > 3 * 365 * 86_400);
    // A failure does not end it, and it waits for the answer, whatever the clock shows.
    clock.advance("PT10M").unwrap();
    settle().await;
    assert_eq!(scheduler.inner.lambda.instances("waits").len(), 1);
    runtime.fail(&id, "why").await;
    let (id, second) = runtime.next().await;
    assert!(time(&second).duration_since(time(&first)).as_secs() >= 600);
    runtime.respond(&id, "null").await;
    // The next one begins after its minute, not at once for each of those that were skipped.
    settle().await;
    clock.advance("PT1M").unwrap();
    let (_, third) = runtime.next().await;
    assert!(time(&third).duration_since(time(&second)).as_secs() >= 60);
}
