//! Both halves of the sensor see every shared type alike, though two compilers made them.
//!
//! The layout is taken from the BTF of the object that this very build embeds, and compared with the user half's: size, and each field's
//! name, offset and type, into nested structs and arrays. `sensor-ebpf/src/abi.rs` keeps the types in that BTF.

use std::mem::offset_of;

use btf_rs::{Btf, BtfType, Type};
use claviger_sensor::kernel::OBJECT;
use claviger_sensor_common::{
    AgentSocketRecord, Ancestor, AttemptRecord, ChangeOfTwoRecord, ChangeRecord, ConnectRecord,
    CoreDumpRecord, Destination, DirectoryListRecord, ExecRecord, ExitRecord, FileUseRecord, FileVersion,
    ForkRecord, FoundName, GivenPath, HeldRecord, KernelKeyRecord, KnownFile, Label, LabelRequest, Look,
    NameKey, ObjectKey, Offsets, OverlayOffsets, PacketRecord, PathBytes, ProcessSecretRecord, ProgramRecord,
    ProgramSecretRecord, RecordHeader, RepeatCount, RepeatKey, RootOfTask, RootPlace, SocketFacts,
    TamperRecord, TaskSnapshot, WrittenRecord,
};
use object::{Object as _, ObjectSection as _};

/// How a type lies in memory.
#[derive(Debug, PartialEq, Eq)]
enum Shape {
    /// Unsigned, of so many bytes.
    Integer(usize),
    /// Element and how many.
    Array(Box<Shape>, usize),
    /// Size, and each field's name, offset and shape.
    Struct(String, usize, Vec<(String, usize, Shape)>),
}

/// The user half's view.
trait Shared {
    fn shape() -> Shape;
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Shared for $integer {
            fn shape() -> Shape {
                Shape::Integer(size_of::<Self>())
            }
        }
    )+};
}

integers!(u8, u32, u64);

impl<T: Shared, const N: usize> Shared for [T; N] {
    fn shape() -> Shape {
        Shape::Array(Box::new(T::shape()), N)
    }
}

/// The shape of the field that a function picks.
fn field<T, F: Shared>(_: impl Fn(&T) -> &F) -> Shape {
    F::shape()
}

macro_rules! shared {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl Shared for $name {
            fn shape() -> Shape {
                // Does not compile where a field is left out of the list.
                let _complete = |$name { $($field: _),+ }: &$name| ();
                let fields = vec![$(
                    (stringify!($field).to_owned(), offset_of!($name, $field), field(|it: &$name| &it.$field)),
                )+];
                Shape::Struct(stringify!($name).to_owned(), size_of::<$name>(), fields)
            }
        }
    };
}

macro_rules! compared {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        shared!($name { $($field),+ });

        #[test]
        #[expect(non_snake_case, reason = "one test for each type, under its name")]
        fn $name() {
            assert_eq!(in_object(stringify!($name)), $name::shape());
        }
    )+};
}

compared! {
    RecordHeader { kind, cpu, time_boot_ns }
    Ancestor { pid, exec_id, start_boottime_ns }
    TaskSnapshot {
        pid, tid, start_boottime_ns, effective_capabilities, cgroup_id, exe_inode, exe_device, uid, gid, euid, egid, login_uid,
        mount_namespace, pid_namespace, network_namespace, user_namespace, exec_id, exe_marks, comm,
        ancestors,
    }
    PathBytes { length, truncated, components }
    FileUseRecord { header, task, key, label, matched, reserved, version, path }
    FileVersion { size, modified_s, changed_s, modified_ns, changed_ns }
    RootPlace { mount, inode }
    AttemptRecord { header, task, errno, flags, given_length, given_truncated, root, above, reserved, given, base }
    GivenPath { given_length, given_truncated, above, root_length, given, base }
    KnownFile { label, matched, through_overlay, object }
    ChangeRecord {
        header, task, what, errno, by_path, overwrote, mode_before, mode_after, uid_before, gid_before, uid_after, gid_after, file,
        place, path,
    }
    ChangeOfTwoRecord { change, second }
    OverlayOffsets { known, inode, upper, lower, lower_path, entry, count, stack, dentry, flags, lower_data, real_file }
    CoreDumpRecord { header, task, signal, reserved, directory }
    ProcessSecretRecord { header, task, key, target, given_pid, device, since_boot_ns, pre_existing, reserved }
    KernelKeyRecord { header, task, key }
    AgentSocketRecord { header, task, key, peer_pid, peer_uid, name_length, is_abstract, name, path }
    FoundName { hash, place, length, name }
    ProgramSecretRecord { header, task, count, left_out, unread, padding, found }
    TamperRecord { header, task, key, number, id, path }
    DirectoryListRecord { header, task, key, label, path }
    WrittenRecord { header, writer, exec_id, object, marks, reserved, path }
    Destination { address, port }
    SocketFacts { cookie, asked, directed, transport, reserved }
    ConnectRecord { header, task, socket }
    PacketRecord { header, task, socket, peer, direction, offset, length, left, sender_is_known, urgent, reserved, bytes }
    HeldRecord { header, task, key, label, matched, pre_existing, since_boot_ns, path }
    Look { before_boot_ns, number, reserved }
    RepeatKey { pid, operation, start_boottime_ns, exec_id, object, access, errno }
    RepeatCount { count, since_boot_ns }
    RootOfTask { namespace_sequence, inode, device, reserved }
    ExecRecord { header, task, root, runs, not_told, exe }
    ProgramRecord {
        header, process, how, applet_length, inode, device, marks, given_length, given_truncated, interpreter, applet, given, path,
    }
    ForkRecord { header, child, parent }
    ExitRecord { header, process }
    ObjectKey { inode, device, generation }
    NameKey { directory, name_hash }
    Label { id, flags }
    LabelRequest { state, tid, label, object }
    Offsets {
        task_files, task_fs, task_real_cred, task_group_leader, task_traced, task_tracer, task_real_parent, task_pid, task_tgid, task_start_boottime, task_comm,
        task_mm, task_nsproxy, task_signal, task_loginuid, task_exec_id, task_pid_links, signal_live, signal_exit_code, signal_oom_score, signal_pids, signal_threads, files_count, files_first, files_fdt,
        fdtable_fd, fdtable_max, fdtable_open, file_operations, file_inode, file_mode, file_flags, file_dentry, file_mnt,
        path_dentry, inode_ino, inode_generation, inode_size, inode_modified_s, inode_modified_ns, inode_changed_s,
        inode_changed_ns, inode_mode, inode_rdev, inode_private, inode_mapping, mapping_writable, inode_sb, sb_dev, dentry_parent, dentry_inode, dentry_name, mount_mnt,
        mount_parent, mount_mountpoint, mount_namespace, mount_id, mount_unique_id, vfsmount_root, fs_root_dentry, fs_root_mnt, fs_pwd_dentry, fs_pwd_mnt, mm_exe_file,
        cred_uid, cred_gid, cred_euid, cred_egid, cred_cap_effective, cred_user_ns, nsproxy_mnt_ns, nsproxy_net_ns,
        mnt_ns_inum, mnt_ns_sequence, pid_ns_inum, net_ns_inum, user_ns_inum, regs_first, regs_second, regs_third, regs_fourth, regs_fifth, proc_pid,
        proc_inode, pid_tasks, ring_opcode, ring_flags, ring_command, ring_open_directory, ring_open_name, ring_open_slot,
        ring_open_flags, ring_open_resolve, ring_result, filename_name, kiocb_type, kiocb_file, file_private, bpf_map_id, bpf_program_aux, bpf_aux_id,
        bpf_link_id, mm_arg_start, mm_arg_end, mm_env_start, mm_env_end, mm_users, task_cgroups, css_set_cgroup, cgroup_node, node_id,
        area_file, how_flags, how_lookup, thread_status, regs_number, regs_compat_first, regs_compat_second, sb_magic, sb_flags, inode_uid, inode_gid,
        attributes_valid, rename_old, rename_new, rename_flags, ring_rename_old_directory, ring_rename_new_directory,
        ring_rename_old, ring_rename_new, ring_rename_flags, ring_unlink_directory, ring_unlink_name, ring_unlink_flags,
        ring_mkdir_directory, ring_mkdir_name, ring_link_old_directory, ring_link_new_directory, ring_link_old, ring_link_new,
        binprm_filename, binprm_interpreter, task_works, file_work, inode_links, dentry_hashed, ring_context, ring_setup, ring_files, ring_files_count, ring_node_file, ring_file, ring_descriptor, ring_attribute_path,
        ring_attribute_name, ring_completed, ring_completed_node, ring_own_result, ring_has_name, task_thread_pid, pid_level, pid_numbers, upid_namespace, user_ns_extents, user_ns_extents_count,
        user_ns_more_extents, buffer_socket, buffer_carried, carried_count, carried_files, socket_family, ring_user_data, task_flags, task_ring, task_registered_rings, task_parent_exec_id, pid_ns_ids, tree_node_shift, tree_node_slots, socket_sock, sock_type, sock_protocol, sock_destination, sock_destination6, sock_destination_port, sock_peer_pid, sock_peer_cred, unix_address, unix_path_dentry, unix_path_mnt, unix_peer,
        unix_address_length, unix_address_name,
    }
}

/// The kernel half's view of the one struct of that name.
fn in_object(name: &str) -> Shape {
    let btf = object_btf();
    let types = btf.resolve_types_by_name(name).expect("BTF that can be read");
    let structs: Vec<_> = types
        .into_iter()
        .filter(|found| matches!(found, Type::Struct(_)))
        .collect();
    let [only] = structs.as_slice() else {
        panic!(
            "{} structs are called {name} in the object: is it in sensor-ebpf/src/abi.rs?",
            structs.len()
        )
    };
    shape(&btf, only)
}

fn object_btf() -> Btf {
    let elf = object::File::parse(OBJECT).expect("an ELF file");
    let section = elf.section_by_name(".BTF").expect("the object carries BTF");
    Btf::from_bytes(section.data().expect("its bytes")).expect("BTF")
}

fn shape(btf: &Btf, found: &Type) -> Shape {
    match found {
        Type::Int(integer) => {
            assert!(!integer.is_signed(), "shared integers are unsigned");
            Shape::Integer(integer.size())
        }
        Type::Array(array) => Shape::Array(Box::new(shape_of(btf, array)), array.len()),
        Type::Struct(whole) => {
            let fields = whole.members.iter().map(|member| {
                let bits = usize::try_from(member.bit_offset()).expect("fits");
                assert_eq!(
                    (bits % 8, member.bitfield_size().unwrap_or(0)),
                    (0, 0),
                    "a bit field"
                );
                (
                    btf.resolve_name(member).expect("named"),
                    bits / 8,
                    shape_of(btf, member),
                )
            });
            Shape::Struct(
                btf.resolve_name(whole).expect("named"),
                whole.size(),
                fields.collect(),
            )
        }
        other => panic!("{} has no place in a shared type", other.name()),
    }
}

/// The shape of what an array or a member is of.
fn shape_of(btf: &Btf, of: &dyn BtfType) -> Shape {
    shape(btf, &btf.resolve_chained_type(of).expect("its type"))
}

/// What a user half would have whose fields of one size changed places.
mod other {
    use super::*;

    #[repr(C)]
    pub(super) struct RecordHeader {
        cpu: u32,
        kind: u32,
        time_boot_ns: u64,
    }

    shared!(RecordHeader {
        cpu,
        kind,
        time_boot_ns
    });
}

#[test]
fn a_moved_field_is_noticed() {
    assert_ne!(in_object("RecordHeader"), other::RecordHeader::shape());
}
