//! Types of the running kernel and of its modules, from their BTF.

use std::{fs::File, io, os::fd::AsRawFd as _, path::Path};

use btf_rs::{Backend, Btf, BtfType, Struct, Type};
use claviger_sensor_common::MISSING;
use rustix::fs::{MemfdFlags, memfd_create};

use super::KernelError;

/// The types in one file of BTF.
pub(super) struct Types<'a> {
    btf: Btf,
    path: &'a Path,
}

impl<'a> Types<'a> {
    /// Those of the kernel, at `path` (`/sys/kernel/btf/vmlinux`).
    ///
    /// # Errors
    /// [`KernelError::NoBtf`] where there is none.
    pub(super) fn of_kernel(path: &'a Path) -> Result<Self, KernelError> {
        if !path.exists() {
            return Err(KernelError::NoBtf {
                path: path.to_owned(),
            });
        }
        let copy = in_memory(path)?;
        let btf = Btf::from_file_with_backend(format!("/proc/self/fd/{}", copy.as_raw_fd()), Backend::Mmap)
            .map_err(|source| KernelError::Btf {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { btf, path })
    }

    /// Those of a module, whose BTF builds on the kernel's.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub(super) fn of_module(&self, path: &'a Path) -> Result<Self, KernelError> {
        let bytes = std::fs::read(path).map_err(KernelError::io(format!(
            "reading the type information of a module at {}",
            path.display()
        )))?;
        let btf = Btf::from_split_bytes(&bytes, &self.btf).map_err(|source| KernelError::Btf {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self { btf, path })
    }

    /// Offset in bytes of a member of a structure, by their names.
    pub(super) fn of(&self, structure: &str, member: &str) -> Result<u32, KernelError> {
        self.member(&self.structure(structure)?, structure, member)
    }

    /// The id of the type of that name and sort.
    pub(super) fn id(&self, name: &str, is_it: impl Fn(&Type) -> bool) -> Result<u32, KernelError> {
        let unreadable = |source| KernelError::Btf {
            path: self.path.to_owned(),
            source,
        };
        for id in self.btf.resolve_ids_by_name(name).map_err(unreadable)? {
            if is_it(&self.btf.resolve_type_by_id(id).map_err(unreadable)?) {
                return Ok(id);
            }
        }
        Err(KernelError::NoMember {
            structure: name.to_owned(),
            member: "(itself)".to_owned(),
        })
    }

    /// The definition of a structure; names are shared with functions and variables, which are passed over.
    pub(super) fn structure(&self, name: &str) -> Result<Struct, KernelError> {
        let types = match self.btf.resolve_types_by_name(name) {
            Ok(types) => types,
            Err(source) => {
                return Err(KernelError::Btf {
                    path: self.path.to_owned(),
                    source,
                });
            }
        };
        types
            .into_iter()
            .find_map(|found| match found {
                Type::Struct(structure) if !structure.members.is_empty() => Some(structure),
                _ => None,
            })
            .ok_or_else(|| KernelError::NoMember {
                structure: name.to_owned(),
                member: "(the structure itself)".to_owned(),
            })
    }

    /// The value of an enumerator of an enumeration without a name, of which the lower 32 bits are taken.
    pub(super) fn enumerator(&self, name: &str) -> Result<u32, KernelError> {
        let is_it = |member: &dyn BtfType| self.btf.resolve_name(member).is_ok_and(|found| found == name);
        let mut types = (1..).map_while(|id| self.btf.resolve_type_by_id(id).ok());
        let found = types.find_map(|found| match found {
            Type::Enum(found) => found
                .members
                .iter()
                .find(|member| is_it(*member))
                .map(btf_rs::EnumMember::val),
            Type::Enum64(found) => {
                let member = found.members.iter().find(|member| is_it(*member));
                #[expect(clippy::cast_possible_truncation, reason = "the lower bits are meant")]
                member.map(|member| member.val() as u32)
            }
            _ => None,
        });
        found.ok_or_else(|| KernelError::NoMember {
            structure: "enum".to_owned(),
            member: name.to_owned(),
        })
    }

    /// Offset in bytes of a member, or of a member of a member by dots.
    pub(super) fn member(&self, structure: &Struct, name: &str, path: &str) -> Result<u32, KernelError> {
        let missing = || KernelError::NoMember {
            structure: name.to_owned(),
            member: path.to_owned(),
        };
        let mut bits = 0;
        let mut within = structure.clone();
        let mut names = path.split('.').peekable();
        while let Some(next) = names.next() {
            let (offset, kind) = self.find(&within, next, 0).ok_or_else(missing)?;
            bits += offset;
            if names.peek().is_some() {
                within = self.aggregate(kind).ok_or_else(missing)?;
            }
        }
        if bits % 8 == 0 {
            Ok(bits / 8)
        } else {
            Err(missing())
        }
    }

    /// A member by name, also inside anonymous structures and unions (where new kernels keep some). Offset in bits and type.
    fn find(&self, within: &Struct, name: &str, depth: u32) -> Option<(u32, u32)> {
        for member in &within.members {
            let kind = member.get_type_id()?;
            match self.btf.resolve_name(member).unwrap_or_default().as_str() {
                "" if depth < 8 => {
                    let found = self
                        .aggregate(kind)
                        .and_then(|inner| self.find(&inner, name, depth + 1));
                    if let Some((offset, kind)) = found {
                        return Some((member.bit_offset() + offset, kind));
                    }
                }
                found if found == name => return Some((member.bit_offset(), kind)),
                _ => {}
            }
        }
        None
    }

    /// The structure or union behind a type id, past qualifiers and typedefs (at most eight).
    fn aggregate(&self, mut id: u32) -> Option<Struct> {
        for _ in 0..8 {
            match self.btf.resolve_type_by_id(id).ok()? {
                Type::Struct(found) | Type::Union(found) => return Some(found),
                Type::Typedef(next) => id = next.get_type_id()?,
                Type::Const(next) => id = next.get_type_id()?,
                Type::Volatile(next) => id = next.get_type_id()?,
                _ => return None,
            }
        }
        None
    }
}

/// A copy that can be mapped: kernels before 6.16 do not let their own BTF be, and parsing it all at once would take ten times its size.
fn in_memory(path: &Path) -> Result<File, KernelError> {
    let step = || format!("copying the kernel's type information at {}", path.display());
    let mut original = File::open(path).map_err(KernelError::io(step()))?;
    let copy =
        memfd_create("btf", MemfdFlags::CLOEXEC).map_err(|error| KernelError::io(step())(error.into()))?;
    let mut copy = File::from(copy);
    io::copy(&mut original, &mut copy).map_err(KernelError::io(step()))?;
    Ok(copy)
}

/// A member that the programs can do without.
pub(super) fn optional(found: Result<u32, KernelError>) -> Result<u32, KernelError> {
    match found {
        Err(KernelError::NoMember { .. }) => Ok(MISSING),
        other => other,
    }
}
