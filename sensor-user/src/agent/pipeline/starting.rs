//! Putting an agent together, so that the host is watched.

use super::*;
use crate::attribute::own_pid_namespace;

impl<S: Sink> Agent<S> {
    /// Puts an agent together: seeds the process table and labels what the catalogue names. When it returns, the host is watched.
    ///
    /// # Errors
    /// [`AgentError`].
    pub async fn start(kernel: Kernel, sink: S, options: AgentOptions) -> Result<Self, AgentError> {
        let Kernel {
            records,
            labeller,
            layers,
            accounts,
            repeats,
            secret_names,
            endpoints,
            fill,
            own,
            open_descriptors,
            probes,
            attached,
            ..
        } = kernel;
        if own_pid_namespace().is_none() {
            tracing::warn!(
                "the sensor's own pid namespace cannot be read: what is done in any other is taken for done in it"
            );
        }
        let io = |step| move |source| AgentError::Io { step, source };
        let asked = match &options.runtime_dir {
            Some(runtime_dir) => Some(listen(runtime_dir).map_err(io("making the control socket"))?),
            None => None,
        };
        let setup = Setup {
            catalogue: Arc::clone(&options.policy.catalogue),
            rescan: options.rescan_interval,
            search: options.search_interval,
            extra_homes: options.extra_homes.clone(),
            self_test: options.self_test.clone(),
            own: options.own.clone(),
            remembered: options.remembered.clone(),
            layers,
        };
        let mut worker =
            Worker::start(labeller, setup).map_err(io("starting the thread that labels files"))?;
        let mut processes = ProcessTable::default();
        processes.seed();
        let Some(Found::Scanned(scanned)) = worker.answers.recv().await else {
            return Err(AgentError::WorkerGone);
        };
        let cgroups = Cgroups::find();
        if cgroups.root().is_none() {
            tracing::warn!("cgroup v2 is not mounted: units, sessions and containers cannot be told apart");
        }
        let facts = Facts {
            host: options.host.clone(),
            processes,
            cgroups,
            users: Users::at("/etc/passwd"),
            told: ToldActors::default(),
            to_place: Vec::new(),
        };
        let condition = Condition {
            policy: PolicyReport::of(&options.policy),
            coming: None,
            not_labelled: 0,
            overlays_looked_for: None,
            overlays_due: None,
            hanging: Vec::new(),
            self_test: options
                .self_test
                .as_ref()
                .map(|test| SelfTest::new(test.interval, &probes, SystemTime::now())),
            self_test_opens: 0,
            opens_lost: 0,
        };
        let names_from = Arc::clone(&options.policy.catalogue);
        let interval = options
            .look_interval
            .map(|interval| held::between_looks(interval, &probes));
        let looks = open_descriptors
            .filter(|_| options.look_interval.is_some())
            .map(|looks| Looks::start(looks, interval))
            .transpose()
            .map_err(io("starting the thread that looks through open descriptors"))?;
        let placing = Placing::start().map_err(io("starting the thread that looks up programs"))?;
        let publishing = match &options.metrics {
            Some(to) => Some(reconciling::Publishing {
                to: to.clone(),
                maps: MapFill::start(fill).map_err(io("starting the thread that counts entries of maps"))?,
                started: SystemTime::now(),
            }),
            None => None,
        };
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let mut agent = Self {
            kernel: Watched {
                records,
                accounts,
                repeats,
                secret_names,
                endpoints,
                own,
                probes,
                release,
                _attached: attached,
            },
            facts,
            told_hooks: ToldHooks::default(),
            knowledge: worker.knowledge.clone(),
            worker,
            keeper: Keeper::new(sink),
            keeping: Keeping::default(),
            pending: Pending::default(),
            accounts: Accounts::default(),
            told: Vec::new(),
            told_at: SystemTime::now(),
            taken: Taken::default(),
            balance: Balance::default(),
            balanced_at: SystemTime::now(),
            publishing,
            scanned,
            condition,
            next_token: 0,
            last_id: None,
            flushing: Vec::new(),
            flush_behind: None,
            flush_by: Instant::now(),
            options,
            started: Instant::now(),
            cpu_before_us: SelfUsage::read().cpu_time_us,
            asked,
            peers: Peers::default(),
            repeats: Repeats::default(),
            repeat_turns: repeating::Turns::default(),
            writers: copies::Writers::default(),
            arrivals: Vec::new(),
            by_path: held::ByPath::default(),
            reached_by_path: secrets::ReachedByPath::default(),
            followed: following::Followed::default(),
            just_found: held::JustFound::default(),
            network: network::Network::default(),
            answerers: agent_sockets::Answerers::default(),
            chains: Chains::default(),
            looks,
            placing,
            on_fork: Box::new(|_, _| {}),
        };
        agent.watch_names(&names_from);
        agent.watch_endpoints(&names_from);
        Ok(agent)
    }
}
