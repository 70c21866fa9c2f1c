//! Calls of kernel functions that are no helpers. Their BTF ids differ between kernels, and aya does not put them in, so this does, in a copy
//! of the object: a call of a helper that no kernel has becomes a call of the function.

use claviger_sensor_common::CALL_READ_ONLY_CAST;
use object::{Object as _, ObjectSection as _, SectionKind};

/// Bytes of an instruction.
const INSTRUCTION: usize = 8;
/// `BPF_JMP | BPF_CALL`
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL`, as the source register of a call.
const KERNEL_FUNCTION: u8 = 2;

/// The object with the call of `bpf_rdonly_cast` by its id. Without an id it stays as it is, and the programs that call it are refused.
pub(super) fn with_read_only_cast(object: &[u8], id: Option<u32>) -> Vec<u8> {
    let mut patched = object.to_vec();
    let (Some(id), Ok(file)) = (id, object::File::parse(object)) else {
        return patched;
    };
    for section in file
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
    {
        let Some((begin, size)) = section.file_range() else {
            continue;
        };
        let range = usize::try_from(begin)
            .ok()
            .zip(usize::try_from(begin + size).ok());
        let Some(code) = range.and_then(|(begin, end)| patched.get_mut(begin..end)) else {
            continue;
        };
        for instruction in code.chunks_exact_mut(INSTRUCTION) {
            if let [CALL, registers @ 0, 0, 0, immediate @ ..] = instruction
                && immediate == CALL_READ_ONLY_CAST.to_le_bytes()
            {
                *registers = KERNEL_FUNCTION << 4;
                immediate.copy_from_slice(&id.to_le_bytes());
            }
        }
    }
    patched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::OBJECT;

    #[test]
    fn only_the_stand_in_is_replaced() {
        let patched = with_read_only_cast(OBJECT, Some(0x0102_0304));
        let changed: Vec<_> = OBJECT
            .chunks_exact(INSTRUCTION)
            .zip(patched.chunks_exact(INSTRUCTION))
            .filter(|(before, after)| before != after)
            .collect();
        assert!(!changed.is_empty(), "a program calls it");
        for (before, after) in changed {
            assert_eq!(before[..4], [CALL, 0, 0, 0]);
            assert_eq!(before[4..], CALL_READ_ONLY_CAST.to_le_bytes());
            assert_eq!(after, [CALL, 0x20, 0, 0, 4, 3, 2, 1]);
        }
        assert_eq!(with_read_only_cast(OBJECT, None), OBJECT);
        assert_eq!(with_read_only_cast(b"no object", Some(1)), b"no object");
    }
}
