//! Labelling what was found, and only that: of each path the file that was seen there, whatever took its place since.

mod copies;
mod own;
mod recalling;
mod remembering;
mod replaced;
mod setting;
mod slices;
mod taken;
mod whereabouts;

use std::{
    collections::{BTreeMap, HashSet},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) use copies::Looked;
pub(super) use setting::very_one;
pub(super) use slices::Below;

use claviger_proto::catalogue::Catalogue;
use claviger_sensor_common::NameKey;
use rustix::fs::{Mode, OFlags};

use super::{
    Own,
    elsewhere::MountedElsewhere,
    hands::{Hands, Hangs},
    knowledge::Knowledge,
    labelled::{Labelled, Root, Table},
    labels::Meaning,
    messages::{Found, ScanCounts},
    publicly::Public,
    remembered::RememberedFile,
    ways::Ways,
};
use crate::{
    credential::{Contents, Home, Places, ScanLimits, ScanResult, homes},
    kernel::Labeller,
};

/// Homes of containers that paths are matched against beside the host's, at most. Of further ones the paths in them are not known as such.
const HOMES_MAX: usize = 16_384;

/// Between two rounds of forgetting what labels stood for, at least: a record may be under way for so long.
const BURY_EVERY: Duration = Duration::from_secs(2);

/// Scans and labels.
pub(super) struct Labelling {
    pub(super) labeller: Labeller,
    pub(super) hands: Hands,
    pub(super) knowledge: Knowledge,
    catalogue: Arc<Catalogue>,
    /// The one that was in force before: a look by it may not have ended.
    catalogue_before: Option<Arc<Catalogue>>,
    /// Where the host is looked through.
    places: Arc<Places>,
    homes: Vec<Home>,
    extra_homes: Vec<PathBuf>,
    /// Homes below other roots.
    other_homes: BTreeMap<u64, Vec<Home>>,
    contents: Contents,
    ways: Ways,
    own: Own,
    own_places: own::OwnPlaces,
    /// What bounds the sensor, as far as that is known.
    bounds: Vec<PathBuf>,
    table: Table,
    taken: taken::Taken,
    /// Names whose labels were replaced in this scan, or left one of several paths; some may be watched by another path.
    replaced_names: HashSet<NameKey>,
    /// Labels of copies, those that have left their path too.
    copies: HashSet<u32>,
    memory: remembering::Memory,
    mounted: MountedElsewhere,
    file_systems: replaced::Known,
    counts: BTreeMap<Root, ScanCounts>,
    jobs: slices::Jobs,
    said: ScanCounts,
    buried: Instant,
}

/// What came of one path.
enum Done {
    /// It is labelled.
    Yes,
    /// Nothing is there, or nothing that can be opened, or another file than the scan saw: the next scan will see. Or another root's scan has it.
    Gone,
    /// A table is full, or the hook did not answer.
    No,
    /// The file system does not answer. What is labelled there stays so.
    Hangs,
}

impl Labelling {
    pub(super) fn new(
        (labeller, hands): (Labeller, Hands),
        knowledge: Knowledge,
        catalogue: Arc<Catalogue>,
        homes: Vec<Home>,
        extra_homes: Vec<PathBuf>,
        (own, remembered): (Own, Option<RememberedFile>),
        mounted: MountedElsewhere,
    ) -> Self {
        Self {
            labeller,
            hands,
            knowledge,
            places: Arc::new(Places::new(&catalogue, homes.clone())),
            catalogue,
            homes,
            extra_homes,
            other_homes: BTreeMap::new(),
            contents: Contents::default(),
            ways: Ways::default(),
            own,
            own_places: own::OwnPlaces::default(),
            bounds: Vec::new(),
            table: Table::default(),
            taken: taken::Taken::default(),
            replaced_names: HashSet::new(),
            copies: HashSet::new(),
            memory: remembering::Memory::new(remembered),
            mounted,
            file_systems: replaced::Known::new(),
            counts: BTreeMap::new(),
            jobs: slices::Jobs::default(),
            catalogue_before: None,
            said: ScanCounts::default(),
            buried: Instant::now(),
        }
    }

    /// Labels what lies in the host's places now, and takes away labels that are not needed any more.
    pub(super) fn scan(&mut self, public: &mut Public) -> ScanCounts {
        let homes = homes_of_host(&mut self.hands, &self.extra_homes);
        if let Ok(homes) = homes
            && homes != self.homes
        {
            self.homes = homes;
            self.lay_out();
        }
        match self.look() {
            Ok((root, found)) => {
                let job = self.begin(Root::Host, Below::host(Arc::clone(&root)), found);
                self.finish(job, public);
                self.label_own(&root);
                self.look_after_copies(&root);
                self.take_over();
                self.forget_what_was_replaced();
            }
            Err(error) => {
                tracing::error!(%error, "the places of credentials could not be looked through; only what is labelled already is watched");
                let counts = self.counts.entry(Root::Host).or_default();
                counts.not_labelled = counts.not_labelled.max(1);
            }
        }
        if self.buried.elapsed() >= BURY_EVERY {
            self.buried = Instant::now();
            self.knowledge.labels().bury();
        }
        self.memory.changed();
        self.total()
    }

    /// Takes up what was found elsewhere, to be labelled by [`Labelling::label_more`].
    pub(super) fn found(&mut self, found: Found, public: &mut Public) -> ScanCounts {
        if let Found::Anywhere { catalogue, .. } | Found::Below { catalogue, .. } = &found
            && self
                .catalogue_before
                .as_ref()
                .is_some_and(|before| Arc::ptr_eq(before, catalogue))
        {
            // What it names is not watched any more. That by the catalogue in force follows.
            return self.total();
        }
        match found {
            Found::Anywhere { root, found, .. } => {
                let job = self.begin(Root::Search, Below::host(root), found);
                self.put_off(job, public);
            }
            Found::Below {
                id,
                root,
                path,
                homes,
                mut found,
                ..
            } => {
                // What appears in a container is noticed by the regular look.
                found.ways.clear();
                if self.other_homes.get(&id) != Some(&homes) {
                    self.other_homes.insert(id, homes);
                    self.lay_out();
                }
                let job = self.begin(Root::Other(id), Below { root, path }, found);
                self.put_off(job, public);
            }
            Found::Roots { gone, left_out } => {
                self.counts.entry(Root::Others).or_default().left_out = left_out;
                for id in gone {
                    self.jobs.forget(Root::Other(id));
                    self.table.begin();
                    for dropped in self.table.end(Root::Other(id)) {
                        self.drop_label(dropped);
                    }
                    self.forget_names();
                    self.counts.remove(&Root::Other(id));
                    if self.other_homes.remove(&id).is_some() {
                        self.lay_out();
                    }
                }
            }
        }
        self.total()
    }

    /// Takes another catalogue: labels anew all that it names, each label in the place of the one before, and only then takes away what it does
    /// not name any more. Nothing that both name is unwatched in between. What only the search finds follows with its next result.
    pub(super) fn replace_catalogue(&mut self, catalogue: Arc<Catalogue>, public: &mut Public) -> ScanCounts {
        self.renew_copies(&catalogue);
        self.catalogue_before = Some(std::mem::replace(&mut self.catalogue, catalogue));
        self.knowledge.placed().clear();
        self.lay_out();
        // By the catalogue before; the search and the look into other roots begin anew.
        self.jobs.clear();
        self.table.new_policy();
        let counts = self.scan(public);
        let places = self.knowledge.places();
        let kept = self.knowledge.labels();
        let copies = &self.copies;
        let is_unnamed = |labelled: &Labelled| match kept.meaning(labelled.id) {
            Some(Meaning::Credential { .. }) if copies.contains(&labelled.id) => false,
            Some(Meaning::Credential { entry, path }) => !places.names(entry.id(), path),
            Some(Meaning::Sensor { .. }) => false,
            Some(Meaning::Directory { .. }) | None => true,
        };
        self.table.leave_elsewhere(is_unnamed);
        let dropped = self.table.drop_gone(is_unnamed);
        drop(kept);
        for dropped in dropped {
            self.drop_label(dropped);
        }
        self.forget_names();
        counts
    }

    /// Lays the catalogue over the homes: the host's to look for files, all to know paths by.
    fn lay_out(&mut self) {
        self.places = Arc::new(Places::new(&self.catalogue, self.homes.clone()));
        let mut all = self.homes.clone();
        let mut known: HashSet<&Home> = self.homes.iter().collect();
        let others = self.other_homes.values().flatten();
        let new = others.filter(|home| known.insert(home)).cloned();
        all.extend(new.take(HOMES_MAX));
        let places = Places::new(&self.catalogue, all);
        self.knowledge.set_places(Arc::new(places));
    }

    /// Looks through the host's places. Where something hangs, anew without it.
    fn look(&mut self) -> std::io::Result<(Arc<OwnedFd>, ScanResult)> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = Arc::new(rustix::fs::open("/", flags, Mode::empty())?);
        let mountinfo: Arc<[u8]> = std::fs::read("/proc/self/mountinfo")?.into();
        while !self.hands.avoids(Path::new("/")) {
            let (below, mountinfo) = (Arc::clone(&root), Arc::clone(&mountinfo));
            let places = Arc::clone(&self.places);
            let mut contents = std::mem::take(&mut self.contents);
            let looked = self.hands.run(Path::new("/"), move |progress| {
                let step = |path: &Path| progress.step(path);
                let mut found = places.scan_root(&below, &mountinfo, &ScanLimits::default(), &step);
                contents.narrow(&*below, &mut found, &step);
                let overlays = found.overlays(&mountinfo);
                found.add_upper_layers(&*below, &overlays, &step);
                (contents, found, overlays)
            });
            match looked {
                Ok((contents, found, overlays)) => {
                    self.contents = contents;
                    self.knowledge.set_overlays(overlays.into());
                    return Ok((root, found));
                }
                Err(Hangs::There) => {}
                Err(Hangs::NoThread) => return Err(std::io::ErrorKind::OutOfMemory.into()),
            }
        }
        Err(std::io::ErrorKind::TimedOut.into())
    }

    /// All roots together. Says what cannot be watched once, and again only when it changes.
    fn total(&mut self) -> ScanCounts {
        let mut counts = ScanCounts::default();
        for of_root in self.counts.values() {
            counts.files += of_root.files;
            counts.directories += of_root.directories;
            counts.not_labelled += of_root.not_labelled;
            counts.left_out += of_root.left_out;
            for place in &of_root.left_out_at {
                // What two looks leave out is named once.
                if counts.left_out_at.len() < LEFT_OUT_NAMED_MAX && !counts.left_out_at.contains(place) {
                    counts.left_out_at.push(place.clone());
                }
            }
            counts.roots += of_root.roots;
        }
        counts.remembered = self.memory.remembered;
        counts.not_remembered = self.memory.left_out;
        if counts.not_labelled > 0 && counts.not_labelled != self.said.not_labelled {
            tracing::error!(
                count = counts.not_labelled,
                "credentials could not be labelled and are not watched: a table is full or the hook does not answer"
            );
        }
        if counts.left_out > 0 && counts.left_out != self.said.left_out {
            let first = counts.left_out_at.first();
            tracing::warn!(
                count = counts.left_out,
                first = first.map(|place| place.path.as_str()),
                why = first.map(|place| place.why.as_str()),
                "places were left out of the search for credentials: too many names, files or homes, too deep, served by another host, or links to what belongs to another; `claviger-sensor status` names the first"
            );
        }
        self.said.clone_from(&counts);
        counts
    }
}

/// Places left out that are named, of all roots.
const LEFT_OUT_NAMED_MAX: usize = 32;

/// The homes of the host, which lie where another host may serve them.
pub(super) fn homes_of_host(hands: &mut Hands, extra: &[PathBuf]) -> Result<Vec<Home>, Hangs> {
    let extra = extra.to_vec();
    hands.run(Path::new("/home"), move |_| homes(Path::new("/"), &extra))
}
