//! What the programs of the kernel half take of the stack, computed from the object as it is built. Before 6.13 all frames of a chain of calls share 512
//! bytes, and 6.1 rounds each of them up to 32; newer kernels give some programs a stack of their own, so that loading on one proves nothing.
//!
//! The kernel counts what is read and written of a frame, and callbacks of loops as called where they are handed over (`check_max_stack_depth` in
//! kernel/bpf/verifier.c); so does this.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

const OBJECT: &[u8] = include_bytes!(env!("CLAVIGER_EBPF_OBJECT"));

/// MAX_BPF_STACK.
const STACK_BYTES: u32 = 512;
/// What 6.1 rounds a frame up to.
const FRAME_BYTES: u32 = 32;
/// MAX_CALL_FRAMES.
const CALLS: usize = 8;

/// BPF_LD | BPF_IMM | BPF_DW, which takes two places.
const LOAD_WIDE: u8 = 0x18;
/// BPF_ALU64 | BPF_MOV | BPF_X.
const MOVE: u8 = 0xbf;
/// BPF_ALU64 | BPF_ADD | BPF_K.
const ADD_NUMBER: u8 = 0x07;
/// BPF_JMP | BPF_CALL, with BPF_PSEUDO_CALL as its source where it is not to a helper.
const CALL: u8 = 0x85;
const PSEUDO_CALL: u8 = 1;
/// The frame pointer.
const FRAME: u8 = 10;
const INSTRUCTION_BYTES: u64 = 8;

#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    to: u8,
    from: u8,
    offset: i16,
    number: i32,
}

impl Instruction {
    fn parse(bytes: [u8; 8]) -> Self {
        let [code, registers, a, b, c, d, e, f] = bytes;
        Self {
            code,
            to: registers & 0xf,
            from: registers >> 4,
            offset: i16::from_le_bytes([a, b]),
            number: i32::from_le_bytes([c, d, e, f]),
        }
    }

    /// How deep in its frame it reads or writes.
    fn depth(self) -> u32 {
        let is_of_frame = match self.code & 0x7 {
            // BPF_LDX
            1 => self.from == FRAME,
            // BPF_ST, BPF_STX
            2 | 3 => self.to == FRAME,
            _ => false,
        };
        if is_of_frame {
            u32::from(self.offset.min(0).unsigned_abs())
        } else {
            0
        }
    }
}

/// Where a function begins: its section, and its place there.
type At = (usize, u64);

#[derive(Default)]
struct Function {
    name: String,
    is_program: bool,
    frame: u32,
    calls: Vec<At>,
}

fn functions() -> BTreeMap<At, Function> {
    let object = object::File::parse(OBJECT).expect("it is built");
    let mut functions = BTreeMap::new();
    for symbol in object
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text)
    {
        let (Some(section), true) = (symbol.section_index(), symbol.size() > 0) else {
            continue;
        };
        let in_section = object.section_by_index(section).expect("there");
        let code = in_section.data().expect("readable");
        let begin = usize::try_from(symbol.address()).expect("small");
        let end = begin + usize::try_from(symbol.size()).expect("small");
        let instructions: Vec<_> = code[begin..end]
            .chunks_exact(8)
            .map(|bytes| Instruction::parse(bytes.try_into().expect("eight")))
            .collect();
        let relocated: BTreeMap<u64, At> = in_section
            .relocations()
            .filter_map(|(at, relocation)| {
                let RelocationTarget::Symbol(index) = relocation.target() else {
                    return None;
                };
                let to = object.symbol_by_index(index).ok()?;
                Some((at, (to.section_index()?.0, to.address())))
            })
            .collect();
        let mut function = Function {
            name: symbol.name().expect("has one").to_owned(),
            is_program: in_section.name() != Ok(".text"),
            frame: frame(&instructions),
            calls: Vec::new(),
        };
        for (place, instruction) in instructions.iter().enumerate() {
            let at = symbol.address() + place as u64 * INSTRUCTION_BYTES;
            let to = relocated.get(&at).copied();
            // What stands in the instruction counts from the section's begin, where that is what it is relocated by, and else from behind it.
            let number = i64::from(instruction.number);
            match (instruction.code, to) {
                (CALL, Some((section, base))) if instruction.from == PSEUDO_CALL => {
                    let behind = u64::try_from((number + 1) * 8).expect("forward");
                    function.calls.push((section, base + behind));
                }
                (CALL, None) if instruction.from == PSEUDO_CALL => {
                    let places = i64::try_from(at / INSTRUCTION_BYTES).expect("small") + 1 + number;
                    let to = u64::try_from(places * 8).expect("within");
                    function.calls.push((section.0, to));
                }
                (LOAD_WIDE, Some((section, base))) => {
                    let within = u64::try_from(number).unwrap_or_default();
                    function.calls.push((section, base + within));
                }
                _ => {}
            }
        }
        functions.insert((section.0, symbol.address()), function);
    }
    functions
}

/// Bytes of its frame that a function uses.
fn frame(instructions: &[Instruction]) -> u32 {
    let mut deepest = 0;
    for (place, instruction) in instructions.iter().enumerate() {
        deepest = deepest.max(instruction.depth());
        if instruction.code != MOVE || instruction.from != FRAME {
            continue;
        }
        // The address of something in the frame: its place is added next, or a little later.
        let copy = instruction.to;
        let rest = &instructions[place + 1..];
        let added = rest
            .iter()
            .find(|next| next.to == copy && matches!(next.code & 0x7, 0 | 1 | 4 | 7));
        if let Some(next) = added.filter(|next| next.code == ADD_NUMBER) {
            deepest = deepest.max(next.number.min(0).unsigned_abs());
        }
    }
    deepest
}

/// The chain of calls that takes most, with its bytes.
fn most(
    functions: &BTreeMap<At, Function>,
    at: At,
    known: &mut BTreeMap<At, (u32, Vec<At>)>,
) -> (u32, Vec<At>) {
    if let Some(found) = known.get(&at) {
        return found.clone();
    }
    let Some(function) = functions.get(&at) else {
        return (0, Vec::new());
    };
    let below = function
        .calls
        .iter()
        .map(|to| most(functions, *to, known))
        .max_by_key(|(bytes, _)| *bytes)
        .unwrap_or_default();
    let own = function.frame.max(1).next_multiple_of(FRAME_BYTES);
    let found = (own + below.0, std::iter::once(at).chain(below.1).collect());
    known.insert(at, found);
    known[&at].clone()
}

/// The most calls that are under way at once.
fn longest(functions: &BTreeMap<At, Function>, at: At, known: &mut BTreeMap<At, Vec<At>>) -> Vec<At> {
    if let Some(found) = known.get(&at) {
        return found.clone();
    }
    let Some(function) = functions.get(&at) else {
        return Vec::new();
    };
    let below = function
        .calls
        .iter()
        .map(|to| longest(functions, *to, known))
        .max_by_key(Vec::len)
        .unwrap_or_default();
    let found: Vec<_> = std::iter::once(at).chain(below).collect();
    known.insert(at, found.clone());
    found
}

fn text(functions: &BTreeMap<At, Function>, chain: &[At]) -> String {
    let names: Vec<_> = chain
        .iter()
        .map(|at| format!("{} {}", functions[at].name, functions[at].frame))
        .collect();
    names.join(" > ")
}

#[test]
fn every_chain_of_calls_fits_into_what_older_kernels_give() {
    let functions = functions();
    let programs: Vec<_> = functions
        .iter()
        .filter(|(_, function)| function.is_program)
        .map(|(at, _)| *at)
        .collect();
    assert!(programs.len() > 50, "{} programs", programs.len());
    // That it is computed at all: a snapshot is taken by most programs, through others.
    let (mut bytes, mut calls) = (BTreeMap::new(), BTreeMap::new());
    let mut wrong = Vec::new();
    let mut deepest = 0;
    for at in programs {
        let (taken, chain) = most(&functions, at, &mut bytes);
        deepest = deepest.max(taken);
        if taken > STACK_BYTES {
            wrong.push(format!("{taken} bytes: {}", text(&functions, &chain)));
        }
        let chain = longest(&functions, at, &mut calls);
        if chain.len() > CALLS {
            wrong.push(format!("{} calls: {}", chain.len(), text(&functions, &chain)));
        }
    }
    assert!(deepest > STACK_BYTES / 2, "{deepest} bytes at most");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
