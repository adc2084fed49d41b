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

/// Lets all other tasks continue until they wait.
async fn yield_to_tasks() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_function_receives_the_event_of_eventbridge() {
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
        "resources": ["arn:aws:scheduler:eu-north-1:000000000000:schedule/default/Test"],
        "detail": "{}",
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn a_function_without_a_schedule_is_not_run() {
    let unscheduled = scheduler(None).await;
    for name in ["waits", "unknown"] {
        assert_eq!(unscheduled.run(name).await, Err(RunError::Unknown(name.to_owned())));
    }
}

#[tokio::test]
async fn a_failure_is_returned() {
    let scheduler = scheduler(Some(Duration::from_mins(1))).await;
    let runtime = async {
        let runtime = Runtime::of(&scheduler.inner.lambda).await;
        runtime.fail(&runtime.next().await.0, "why").await;
        runtime.respond(&runtime.next().await.0, "not JSON").await;
    };
    let runs = async { (scheduler.run("waits").await, scheduler.run("waits").await) };
    let ((failed, not_json), ()) = tokio::join!(runs, runtime);
    assert_eq!(failed, Err(RunError::Invocation(InvocationError::Failed("why".to_owned()))));
    assert!(matches!(not_json, Err(RunError::InvalidJson(_))), "{not_json:?}");
}

#[tokio::test]
async fn moving_the_clock_runs_a_function_once() {
    let scheduler = scheduler(Some(Duration::from_mins(1))).await;
    let (clock, start) = (&scheduler.inner.clock, scheduler.inner.clock.now());
    scheduler.start();
    clock.advance("PT59S").unwrap();
    clock.advance("P3Y").unwrap();
    let runtime = Runtime::of(&scheduler.inner.lambda).await;
    let (id, first) = runtime.next().await;
    assert!(time(&first).as_second() - start.as_second() > 3 * 365 * 86_400);
    // The next run waits for the end of this one, although the clock moves. A failure does not stop the schedule.
    clock.advance("PT10M").unwrap();
    yield_to_tasks().await;
    assert_eq!(scheduler.inner.lambda.instances("waits").len(), 1);
    runtime.fail(&id, "why").await;
    let (id, second) = runtime.next().await;
    assert!(time(&second).duration_since(time(&first)).as_secs() >= 600);
    runtime.respond(&id, "null").await;
    // The next run is a minute later; there is no run for each period that was skipped.
    yield_to_tasks().await;
    clock.advance("PT1M").unwrap();
    let (_, third) = runtime.next().await;
    assert!(time(&third).duration_since(time(&second)).as_secs() >= 60);
}
