//! Bounds of the kernel half. Each says what happens at it.

/// Bytes of a command name, as the kernel has it.
pub const COMM_BYTES: usize = 16;

/// Ancestors kept in a snapshot; older ones are left out.
pub const ANCESTORS_MAX: usize = 16;

/// Bytes in which a path may begin a component. A path that needs more is cut at its root end and marked truncated.
pub const PATH_USABLE_BYTES: usize = 1024;

/// Longest file name with its terminating zero (NAME_MAX + 1).
pub const NAME_BYTES: usize = 256;

/// System calls under way whose beginning is kept. Once that was reached, every one is taken to have begun when it ends.
pub const BEGUN_MAX: u32 = 32_768;

/// Bytes of a packet's payload in one record. What is longer takes several.
pub const PACKET_BYTES: usize = 2_048;

/// Addresses of endpoints that are known. At the bound no further one is, which the agent counts and says.
pub const ENDPOINTS_MAX: u32 = 1_024;

/// Bytes of a recorded path: a last component may begin at the end of the usable part.
pub const PATH_BYTES: usize = PATH_USABLE_BYTES + NAME_BYTES;

/// Steps of the walk from a file to its root, components and mounts together; a deeper path is marked truncated.
pub const PATH_COMPONENTS_MAX: usize = 40;

/// Bytes of a path as a process gave it in a denied attempt; a longer one is cut at its end and marked truncated.
pub const GIVEN_PATH_BYTES: usize = 1024;

/// Labelled objects, where the configuration says no less. At the bound no further object is labelled, which the agent counts and says.
pub const OBJECTS_MAX: u32 = 131_072;

/// Objects that the kernel half has labelled by itself and the agent has not looked after yet: who makes files at credentials' names without end leaves room for other
/// labels.
pub const TAKEN_MAX: u64 = 1_024;

/// Names in labelled directories. At the bound no further name is watched, which the agent counts and says.
pub const NAMES_MAX: u32 = 65_536;

/// Labelled directories. At the bound no further directory is labelled, which the agent counts and says.
pub const DIRECTORIES_MAX: u32 = 65_536;

/// 64-bit words of the prefilter, a power of two. Only its rate of false alarms depends on it.
pub const PREFILTER_WORDS: u32 = 8_192;

/// Bytes of the ring buffer where nothing else is configured, a power of two and a multiple of the page size. A record that finds it full is
/// counted as lost.
pub const RING_BYTES: u32 = 16 * 1024 * 1024;

/// The least time between two wake-ups of the reader of the ring for records that can wait, in nanoseconds. Who reads must look again later than that
/// after it has read anything, before it sleeps.
pub const WAKE_EVERY_NS: u64 = 500_000;

/// The same for records of packets, which come in any number: nobody waits for what a connection is.
pub const PACKETS_WAKE_EVERY_NS: u64 = 10_000_000;

/// Uses whose repeats are counted: one for each (program run, file, operation) that lives. At the bound a further use is reported every time,
/// which costs more and loses nothing. Seven eighths of a power of two: one more would double the agent's table.
pub const REPEATS_MAX: u32 = 14_336;

/// Links, programs and maps of the sensor that are known as its own. There are about as many as hooks; at the bound the agent says so.
pub const OWN_BPF_MAX: u32 = 1_024;

/// Files and directories of the sensor, and directories above them, over which a mount is known by the object. At the bound a further one is known by
/// its path.
pub const OWN_PLACES_MAX: u32 = 1_024;

/// Calls under way that name what is the sensor's. At the bound a further one is told by what its arguments are when it ends.
pub const TAMPER_IN_FLIGHT_MAX: u32 = 1_024;

/// Names of credentials in an environment and arguments that are looked for, those of the catalogue. At the bound the agent says so.
pub const SECRET_NAMES_MAX: u32 = 4_096;

/// 64-bit words of the prefilter of these names, a power of two. Only its rate of false alarms depends on it.
pub const SECRET_NAME_WORDS: u32 = 64;

/// Threads of the sensor that are known as its own. At the bound, what is done to a further one alone is not seen.
pub const AGENT_THREADS_MAX: u32 = 1_024;

/// 64-bit words of a process's bitmap of open descriptors that are looked through: as many descriptors as a process may have where nobody has raised
/// `fs.nr_open`. Of a process with room for more, those beyond are counted as lost.
pub const DESCRIPTOR_WORDS_MAX: u32 = 16_384;

/// Bytes of a script's path as it was given, or of an interpreter's arguments; what lies behind is not told.
pub const PROGRAM_GIVEN_BYTES: usize = 1_024;

/// Bytes of what a program of many names was called, its directory included; of a longer one the end is not looked at.
pub const APPLET_BYTES: usize = 64;

/// Pieces of the first argument, of [`APPLET_BYTES`] each, that are passed over. Behind a longer one nothing is told.
pub const FIRST_ARGUMENT_PIECES_MAX: u32 = 8;

/// Processes in which the dynamic loader was started and has mapped nothing yet. At the bound what a further one loads is not told.
pub const LOADING_MAX: u32 = 1_024;

/// Files that wait to be closed, looked through for the script that was started. Behind more only the script's path is told.
pub const CLOSING_MAX: u32 = 64;

/// Names in one record of a program start. Those beyond are in the next record.
pub const FOUND_MAX: usize = 6;

/// Records of one program start. Names beyond are counted in the last.
pub const FOUND_RECORDS_MAX: u32 = 32;

/// Bytes of such a name, a power of two; a longer one is never looked for.
pub const FOUND_NAME_BYTES: usize = 64;

/// Bytes of an environment or of arguments that are gone over at once.
pub const PIECE_BYTES: usize = 64;

/// Pieces of an environment, and of arguments, that are looked at: half a megabyte at most. What is longer is counted as lost.
pub const PIECES_MAX: u32 = 8_192;

/// Directories whose names matter though they are not labelled. At the bound no further one is taken, which the agent says.
pub const WAYS_MAX: u32 = 16_384;

/// Changes whose end is awaited. At the bound a further one is counted as lost.
pub const CHANGES_IN_FLIGHT_MAX: u32 = 1_024;

/// Opens and changes given to io_uring whose end is awaited, opens without completion that a call is to tell of, and changes of names under way; so
/// many of each. At the bound a further change and the refusal of a further open are counted as lost, and of a further open the path is told at once.
pub const IN_FLIGHT_MAX: u32 = 1_024;

/// Places of a ring that are looked at for fixed files. What is open at a further one is not seen to be held, inherited or received.
pub const FIXED_FILES_MAX: u32 = 16_384;

/// Processes of which it is known that they have read a credential, while they live. What a further one writes is not looked at, which is
/// counted as lost.
pub const READERS_MAX: u32 = 16_384;

/// Tables of open files, and memories, that processes share which are no threads of one another, so many of each. At the bound what is written through a
/// further table by another than the one that read is not looked at, which is counted as lost; of memories the one not met for longest is forgotten.
pub const SHARERS_MAX: u32 = 1_024;

/// Processes of which it is known that they may hold a credential in their memory, while they live: those that have read one or were started with
/// one, and what they forked. A core dump of a further one is not told, which is counted as lost.
pub const HOLDERS_MAX: u32 = 16_384;

/// Files that processes which have read a credential wrote lately. At the bound the one not met for longest is forgotten, and reported once more when it is met.
pub const WRITTEN_MAX: u32 = 8_192;

/// Files opened for writing that are reported of one such process in one second. More are counted as lost.
pub const WRITTEN_PER_SECOND_MAX: u32 = 128;

/// For so long a file that a process opened for writing is not reported again: the agent looks at it once more after that.
pub const WRITTEN_QUIET_NS: u64 = 10_000_000_000;
