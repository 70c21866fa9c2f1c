use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn probes() -> Vec<ProbeState> {
    [
        Probe::FileOpen,
        Probe::FileOpenDenied,
        Probe::ProcessExec,
        Probe::ProcessFork,
        Probe::ProcessExit,
    ]
    .map(|probe| ProbeState {
        probe,
        hook: Some(format!("hook of {}", probe.word())),
        refused: Vec::new(),
        cannot_see: Vec::new(),
    })
    .to_vec()
}

fn all_well() -> Tested {
    Tested {
        canaries: [(Probe::FileOpen, Ok(())), (Probe::FileOpenDenied, Ok(()))].into(),
        opened_labelled: true,
        started: Ok(()),
    }
}

#[test]
fn a_labelled_file_that_is_not_told_makes_the_probe_blind() {
    for (opened, opens, is_any_lost, is_blind) in [
        (true, 1, false, false),
        (true, 0, false, true),
        (true, 0, true, false),
        (false, 0, false, false),
    ] {
        let mut tested = all_well();
        tested.opened_labelled = opened;
        tested.told(opens, is_any_lost);
        assert_eq!(
            tested.canaries[&Probe::FileOpen].is_err(),
            is_blind,
            "{opened} {opens} {is_any_lost}"
        );
    }
    let mut tested = all_well();
    let reason = Err("attached but never ran".to_owned());
    tested.canaries.insert(Probe::FileOpen, reason.clone());
    tested.told(0, false);
    assert_eq!(tested.canaries[&Probe::FileOpen], reason);
}

#[test]
fn what_sees_goes_on_seeing() {
    let mut probes = probes();
    let begin = SystemTime::UNIX_EPOCH;
    let mut test = SelfTest::new(MINUTE, &probes, begin);
    for round in 1..4 {
        let verdict = test.judge(&all_well(), &mut probes, |_| round, begin);
        assert_eq!(verdict, Verdict::default());
    }
    assert_eq!(probes, self::probes());
    assert_eq!((test.report(begin).done, test.report(begin).failed), (3, 0));
}

#[test]
fn a_blind_probe_loses_its_hook_until_it_sees_again() {
    let mut probes = probes();
    let begin = SystemTime::UNIX_EPOCH;
    let mut test = SelfTest::new(MINUTE, &probes, begin);
    test.judge(&all_well(), &mut probes, |_| 1, begin + MINUTE);
    let mut failed = all_well();
    failed
        .canaries
        .insert(Probe::FileOpen, Err("attached but never ran".into()));
    let verdict = test.judge(&failed, &mut probes, |_| 2, begin + MINUTE * 2);
    let blind = Change::Blind {
        probe: Probe::FileOpen,
        reason: "attached but never ran".into(),
    };
    assert_eq!(verdict.changes, [blind]);
    assert_eq!(
        verdict.unwatched,
        Some((begin + MINUTE, begin + MINUTE * 2)),
        "since it was seen to work"
    );
    assert_eq!(probes[0].hook, None);
    assert_eq!(
        probes[0].refused[0].to_string(),
        "hook of file_open: attached but never ran"
    );
    assert_eq!(test.report(begin).blind["file_open"], "attached but never ran");

    let verdict = test.judge(&failed, &mut probes, |_| 3, begin + MINUTE * 3);
    assert_eq!(verdict.changes, [], "said once");
    assert_eq!(verdict.unwatched, Some((begin + MINUTE * 2, begin + MINUTE * 3)));

    let verdict = test.judge(&all_well(), &mut probes, |_| 4, begin + MINUTE * 4);
    assert_eq!(verdict.changes, [Change::Seeing(Probe::FileOpen)]);
    assert_eq!(verdict.unwatched, Some((begin + MINUTE * 3, begin + MINUTE * 4)));
    assert_eq!(probes, self::probes());
    assert_eq!(
        test.judge(&all_well(), &mut probes, |_| 5, begin + MINUTE * 5)
            .unwatched,
        None
    );
    assert_eq!((test.report(begin).done, test.report(begin).failed), (5, 2));
}

#[test]
fn a_process_probe_that_counts_nothing_of_a_program_is_blind() {
    let mut probes = probes();
    let begin = SystemTime::UNIX_EPOCH;
    let mut test = SelfTest::new(MINUTE, &probes, begin);
    test.judge(&all_well(), &mut probes, |_| 7, begin);
    let not_started = Tested {
        started: Err("no memory".into()),
        ..all_well()
    };
    let verdict = test.judge(&not_started, &mut probes, |_| 7, begin);
    assert_eq!(verdict.changes, [], "nothing was there to be counted");
    let only_exits = |probe| if probe == Probe::ProcessExit { 8 } else { 7 };
    let verdict = test.judge(&all_well(), &mut probes, only_exits, begin);
    let blind: Vec<_> = verdict
        .changes
        .iter()
        .map(|change| match change {
            Change::Blind { probe, .. } | Change::Seeing(probe) => *probe,
        })
        .collect();
    assert_eq!(blind, [Probe::ProcessExec, Probe::ProcessFork]);
}

#[test]
fn a_probe_without_a_hook_is_not_tested_back_to_life() {
    let mut probes = probes();
    probes[1].hook = None;
    let mut test = SelfTest::new(MINUTE, &probes, SystemTime::UNIX_EPOCH);
    let verdict = test.judge(&all_well(), &mut probes, |_| 1, SystemTime::UNIX_EPOCH);
    assert_eq!(verdict, Verdict::default());
    assert_eq!(probes[1].hook, None);
}

#[test]
fn a_worker_that_hangs_is_found_out_once() {
    let begin = SystemTime::UNIX_EPOCH;
    let mut test = SelfTest::new(MINUTE, &probes(), begin);
    assert!(!test.becomes_overdue(begin + MINUTE * 3));
    assert!(test.becomes_overdue(begin + MINUTE * 4));
    assert!(!test.becomes_overdue(begin + MINUTE * 5));
    let verdict = test.judge(&all_well(), &mut probes(), |_| 1, begin + MINUTE * 6);
    assert_eq!(verdict.unwatched, Some((begin, begin + MINUTE * 6)));
    assert!(!test.becomes_overdue(begin + MINUTE * 7));
}

#[test]
fn it_is_known_since_when_a_probe_was_not_seen_to_see() {
    let mut probes = probes();
    probes[1].hook = None;
    let begin = SystemTime::UNIX_EPOCH;
    let mut test = SelfTest::new(MINUTE, &probes, begin);
    let mut blind = all_well();
    blind.canaries.insert(Probe::FileOpen, Err("not seen".into()));
    test.judge(&blind, &mut probes, |_| 1, begin + MINUTE);
    let ago = test.report(begin + MINUTE * 2).seen_ago_s;
    assert!((ago["file_open"] - 120.0).abs() < 1e-6, "{ago:?}");
    assert!((ago["process_exec"] - 60.0).abs() < 1e-6, "{ago:?}");
    assert_eq!(ago.get("file_open_denied"), None, "it never had a hook");
}

#[test]
fn nothing_vouches_for_the_time_around_a_setting_that_blinds() {
    let mut probes = probes();
    let begin = SystemTime::UNIX_EPOCH;
    let mut test = SelfTest::new(MINUTE, &probes, begin);
    let mut unwatched = |test: &mut SelfTest, minutes| {
        test.judge(
            &all_well(),
            &mut probes,
            |_| u64::from(minutes),
            begin + MINUTE * minutes,
        )
        .unwatched
    };
    assert_eq!(unwatched(&mut test, 1), None);
    test.doubt();
    // What this test did may have been seen before it was set.
    assert_eq!(
        unwatched(&mut test, 2),
        Some((begin + MINUTE, begin + MINUTE * 2))
    );
    assert_eq!(
        unwatched(&mut test, 3),
        Some((begin + MINUTE * 2, begin + MINUTE * 3))
    );
    assert_eq!(unwatched(&mut test, 4), None);
}
