//! Where the running kernel keeps what the programs read, from its BTF.

use std::path::{Path, PathBuf};

use btf_rs::{Struct, Type};
use claviger_sensor_common::{MISSING, Offsets, OverlayOffsets};

use super::{
    KernelError,
    types::{Types, optional},
};

/// Reads the BTF at `path` (`/sys/kernel/btf/vmlinux`) and finds every member.
///
/// # Errors
/// [`KernelError::NoBtf`] where there is none; [`KernelError::NoMember`] names the first member that this kernel does not have.
pub fn resolve(path: &Path) -> Result<Offsets, KernelError> {
    Types::of_kernel(path)?.all()
}

/// How overlayfs keeps its layers: from the kernel's own BTF, or from that of its module beside it, which builds on the kernel's. Nothing where
/// its module is not there, or is of a form that is not known.
///
/// # Errors
/// As [`resolve`].
pub(super) fn overlay(path: &Path) -> Result<Option<OverlayOffsets>, KernelError> {
    let kernel = Types::of_kernel(path)?;
    let mut offsets = kernel.overlay()?;
    let of_module = module_of(path);
    if offsets.upper == MISSING && of_module.exists() {
        offsets = kernel.of_module(&of_module)?.overlay()?;
    }
    let lower = [offsets.lower, offsets.lower_path, offsets.entry];
    let is_known = offsets.upper != MISSING && lower.iter().any(|&offset| offset != MISSING);
    Ok(is_known.then_some(offsets))
}

/// Where the type information of the module of overlayfs is, while that is loaded.
pub(super) fn module_of(kernel: &Path) -> PathBuf {
    kernel.with_file_name("overlay")
}

/// The BTF id of a kernel function that programs may call.
///
/// # Errors
/// As [`resolve`], also where there is no such function.
pub(super) fn function(path: &Path, name: &str) -> Result<u32, KernelError> {
    Types::of_kernel(path)?.id(name, |found| matches!(found, Type::Func(_)))
}

impl Types<'_> {
    fn all(&self) -> Result<Offsets, KernelError> {
        let task = self.structure("task_struct")?;
        let file = self.structure("file")?;
        let inode = self.structure("inode")?;
        let dentry = self.structure("dentry")?;
        let mount = self.structure("mount")?;
        let fs = self.structure("fs_struct")?;
        let cred = self.structure("cred")?;
        let nsproxy = self.structure("nsproxy")?;
        let regs = self.structure("pt_regs")?;
        Ok(Offsets {
            task_files: self.member(&task, "task_struct", "files")?,
            task_fs: self.member(&task, "task_struct", "fs")?,
            task_real_cred: self.member(&task, "task_struct", "real_cred")?,
            task_group_leader: self.member(&task, "task_struct", "group_leader")?,
            task_traced: self.member(&task, "task_struct", "ptrace")?,
            task_tracer: self.member(&task, "task_struct", "parent")?,
            task_real_parent: self.member(&task, "task_struct", "real_parent")?,
            task_pid: self.member(&task, "task_struct", "pid")?,
            task_tgid: self.member(&task, "task_struct", "tgid")?,
            task_start_boottime: self.member(&task, "task_struct", "start_boottime")?,
            task_comm: self.member(&task, "task_struct", "comm")?,
            task_mm: self.member(&task, "task_struct", "mm")?,
            task_nsproxy: self.member(&task, "task_struct", "nsproxy")?,
            task_signal: self.member(&task, "task_struct", "signal")?,
            task_loginuid: optional(self.member(&task, "task_struct", "loginuid"))?,
            task_exec_id: self.member(&task, "task_struct", "self_exec_id")?,
            task_pid_links: self.member(&task, "task_struct", "pid_links")?,
            signal_live: self.of("signal_struct", "live")?,
            signal_oom_score: self.of("signal_struct", "oom_score_adj")?,
            signal_pids: optional(self.of("signal_struct", "pids"))?,
            signal_threads: self.of("signal_struct", "nr_threads")?,
            signal_exit_code: self.of("signal_struct", "group_exit_code")?,
            files_count: self.of("files_struct", "count")?,
            files_first: self.of("files_struct", "fd_array")?,
            files_fdt: self.of("files_struct", "fdt")?,
            fdtable_fd: self.of("fdtable", "fd")?,
            fdtable_max: self.of("fdtable", "max_fds")?,
            fdtable_open: self.of("fdtable", "open_fds")?,
            file_operations: self.member(&file, "file", "f_op")?,
            file_inode: self.member(&file, "file", "f_inode")?,
            file_mode: self.member(&file, "file", "f_mode")?,
            file_flags: self.member(&file, "file", "f_flags")?,
            file_dentry: self.member(&file, "file", "f_path.dentry")?,
            file_mnt: self.member(&file, "file", "f_path.mnt")?,
            path_dentry: self.of("path", "dentry")?,
            inode_ino: self.member(&inode, "inode", "i_ino")?,
            inode_generation: self.member(&inode, "inode", "i_generation")?,
            inode_size: self.member(&inode, "inode", "i_size")?,
            inode_modified_s: self.either(&inode, ["i_mtime_sec", "__i_mtime.tv_sec", "i_mtime.tv_sec"])?,
            inode_modified_ns: self
                .either(&inode, ["i_mtime_nsec", "__i_mtime.tv_nsec", "i_mtime.tv_nsec"])?,
            inode_changed_s: self.either(&inode, ["i_ctime_sec", "__i_ctime.tv_sec", "i_ctime.tv_sec"])?,
            inode_changed_ns: self
                .either(&inode, ["i_ctime_nsec", "__i_ctime.tv_nsec", "i_ctime.tv_nsec"])?,
            inode_mode: self.member(&inode, "inode", "i_mode")?,
            inode_rdev: self.member(&inode, "inode", "i_rdev")?,
            inode_private: self.member(&inode, "inode", "i_private")?,
            inode_mapping: self.member(&inode, "inode", "i_mapping")?,
            mapping_writable: self.of("address_space", "i_mmap_writable")?,
            inode_sb: self.member(&inode, "inode", "i_sb")?,
            sb_dev: self.of("super_block", "s_dev")?,
            dentry_parent: self.member(&dentry, "dentry", "d_parent")?,
            dentry_inode: self.member(&dentry, "dentry", "d_inode")?,
            dentry_name: self.member(&dentry, "dentry", "d_name.name")?,
            mount_mnt: self.member(&mount, "mount", "mnt")?,
            mount_parent: self.member(&mount, "mount", "mnt_parent")?,
            mount_mountpoint: self.member(&mount, "mount", "mnt_mountpoint")?,
            mount_namespace: self.member(&mount, "mount", "mnt_ns")?,
            mount_id: self.member(&mount, "mount", "mnt_id")?,
            mount_unique_id: optional(self.member(&mount, "mount", "mnt_id_unique"))?,
            vfsmount_root: self.of("vfsmount", "mnt_root")?,
            fs_root_dentry: self.member(&fs, "fs_struct", "root.dentry")?,
            fs_root_mnt: self.member(&fs, "fs_struct", "root.mnt")?,
            fs_pwd_dentry: self.member(&fs, "fs_struct", "pwd.dentry")?,
            fs_pwd_mnt: self.member(&fs, "fs_struct", "pwd.mnt")?,
            mm_exe_file: self.of("mm_struct", "exe_file")?,
            cred_uid: self.member(&cred, "cred", "uid")?,
            cred_gid: self.member(&cred, "cred", "gid")?,
            cred_euid: self.member(&cred, "cred", "euid")?,
            cred_egid: self.member(&cred, "cred", "egid")?,
            cred_cap_effective: self.member(&cred, "cred", "cap_effective")?,
            cred_user_ns: self.member(&cred, "cred", "user_ns")?,
            nsproxy_mnt_ns: self.member(&nsproxy, "nsproxy", "mnt_ns")?,
            nsproxy_net_ns: self.member(&nsproxy, "nsproxy", "net_ns")?,
            mnt_ns_inum: self.of("mnt_namespace", "ns.inum")?,
            mnt_ns_sequence: match optional(self.of("mnt_namespace", "ns.ns_id"))? {
                MISSING => optional(self.of("mnt_namespace", "seq"))?,
                found => found,
            },
            pid_ns_inum: self.of("pid_namespace", "ns.inum")?,
            net_ns_inum: self.of("net", "ns.inum")?,
            user_ns_inum: self.of("user_namespace", "ns.inum")?,
            regs_first: self.member(&regs, "pt_regs", "di")?,
            regs_second: self.member(&regs, "pt_regs", "si")?,
            regs_third: self.member(&regs, "pt_regs", "dx")?,
            regs_fourth: self.member(&regs, "pt_regs", "r10")?,
            regs_fifth: self.member(&regs, "pt_regs", "r8")?,
            proc_pid: optional(self.of("proc_inode", "pid"))?,
            proc_inode: optional(self.of("proc_inode", "vfs_inode"))?,
            pid_tasks: self.of("pid", "tasks")?,
            ring_opcode: optional(self.of("io_kiocb", "opcode"))?,
            ring_flags: optional(self.of("io_kiocb", "flags"))?,
            ring_command: optional(self.of("io_kiocb", "cmd"))?,
            ring_open_directory: optional(self.of("io_open", "dfd"))?,
            ring_open_name: optional(self.of("io_open", "filename"))?,
            ring_open_slot: optional(self.of("io_open", "file_slot"))?,
            ring_open_flags: optional(self.of("io_open", "how.flags"))?,
            ring_open_resolve: optional(self.of("io_open", "how.resolve"))?,
            ring_result: optional(self.of("io_uring_cqe", "res"))?,
            filename_name: self.of("filename", "name")?,
            task_cgroups: optional(self.member(&task, "task_struct", "cgroups"))?,
            css_set_cgroup: optional(self.of("css_set", "dfl_cgrp"))?,
            cgroup_node: optional(self.of("cgroup", "kn"))?,
            node_id: optional(self.of("kernfs_node", "id"))?,
            area_file: self.of("vm_area_struct", "vm_file")?,
            how_flags: self.of("open_flags", "open_flag")?,
            how_lookup: self.of("open_flags", "lookup_flags")?,
            thread_status: optional(self.member(&task, "task_struct", "thread_info.status"))?,
            regs_number: optional(self.member(&regs, "pt_regs", "orig_ax"))?,
            regs_compat_first: optional(self.member(&regs, "pt_regs", "bx"))?,
            regs_compat_second: optional(self.member(&regs, "pt_regs", "cx"))?,
            sb_magic: self.of("super_block", "s_magic")?,
            sb_flags: self.of("super_block", "s_flags")?,
            kiocb_type: self.id("kiocb", |found| matches!(found, Type::Struct(_)))?,
            kiocb_file: self.of("kiocb", "ki_filp")?,
            file_private: self.member(&file, "file", "private_data")?,
            bpf_map_id: self.of("bpf_map", "id")?,
            bpf_program_aux: self.of("bpf_prog", "aux")?,
            bpf_aux_id: self.of("bpf_prog_aux", "id")?,
            bpf_link_id: optional(self.of("bpf_link", "id"))?,
            mm_arg_start: self.of("mm_struct", "arg_start")?,
            mm_arg_end: self.of("mm_struct", "arg_end")?,
            mm_env_start: self.of("mm_struct", "env_start")?,
            mm_env_end: self.of("mm_struct", "env_end")?,
            mm_users: self.of("mm_struct", "mm_users")?,
            binprm_filename: self.of("linux_binprm", "filename")?,
            binprm_interpreter: self.of("linux_binprm", "interp")?,
            task_works: self.member(&task, "task_struct", "task_works")?,
            file_work: self.closing_work(&file)?,
            inode_links: self.member(&inode, "inode", "i_nlink")?,
            dentry_hashed: self.member(&dentry, "dentry", "d_hash.pprev")?,
            inode_uid: self.member(&inode, "inode", "i_uid")?,
            inode_gid: self.member(&inode, "inode", "i_gid")?,
            attributes_valid: self.of("iattr", "ia_valid")?,
            rename_old: optional(self.of("renamedata", "old_dentry"))?,
            rename_new: optional(self.of("renamedata", "new_dentry"))?,
            rename_flags: optional(self.of("renamedata", "flags"))?,
            ring_rename_old_directory: optional(self.of("io_rename", "old_dfd"))?,
            ring_rename_new_directory: optional(self.of("io_rename", "new_dfd"))?,
            ring_rename_old: optional(self.of("io_rename", "oldpath"))?,
            ring_rename_new: optional(self.of("io_rename", "newpath"))?,
            ring_rename_flags: optional(self.of("io_rename", "flags"))?,
            ring_unlink_directory: optional(self.of("io_unlink", "dfd"))?,
            ring_unlink_name: optional(self.of("io_unlink", "filename"))?,
            ring_unlink_flags: optional(self.of("io_unlink", "flags"))?,
            ring_mkdir_directory: optional(self.of("io_mkdir", "dfd"))?,
            ring_mkdir_name: optional(self.of("io_mkdir", "filename"))?,
            ring_link_old_directory: optional(self.of("io_link", "old_dfd"))?,
            ring_link_new_directory: optional(self.of("io_link", "new_dfd"))?,
            ring_link_old: optional(self.of("io_link", "oldpath"))?,
            ring_link_new: optional(self.of("io_link", "newpath"))?,
            ring_context: optional(self.of("io_kiocb", "ctx"))?,
            ring_setup: optional(self.of("io_ring_ctx", "flags"))?,
            ring_files: self.of_fixed_files(["file_table.data.nodes", "file_table.files"])?,
            ring_files_count: self.of_fixed_files(["file_table.data.nr", "nr_user_files"])?,
            ring_node_file: match optional(self.of("io_ring_ctx", "file_table.data.nodes"))? {
                MISSING => MISSING,
                _ => optional(self.of("io_rsrc_node", "file_ptr"))?,
            },
            ring_file: optional(self.of("io_kiocb", "file"))?,
            ring_descriptor: optional(self.of("io_kiocb", "cqe.fd"))?,
            ring_attribute_path: optional(self.of("io_xattr", "filename"))?,
            ring_attribute_name: optional(self.of("io_xattr", "ctx.kname"))?,
            ring_completed: optional(self.of("io_ring_ctx", "submit_state.compl_reqs"))?,
            ring_completed_node: optional(self.of("io_kiocb", "comp_list"))?,
            ring_own_result: optional(self.of("io_kiocb", "cqe.res"))?,
            ring_has_name: optional(self.enumerator("REQ_F_NEED_CLEANUP"))?,
            task_thread_pid: self.member(&task, "task_struct", "thread_pid")?,
            pid_level: self.of("pid", "level")?,
            pid_numbers: self.of("pid", "numbers")?,
            upid_namespace: self.of("upid", "ns")?,
            user_ns_extents: self.of("user_namespace", "uid_map.extent")?,
            user_ns_extents_count: self.of("user_namespace", "uid_map.nr_extents")?,
            user_ns_more_extents: self.of("user_namespace", "uid_map.forward")?,
            buffer_socket: self.of("sk_buff", "sk")?,
            buffer_carried: match optional(self.of("unix_skb_parms", "fp"))? {
                MISSING => MISSING,
                carried => self.of("sk_buff", "cb")? + carried,
            },
            carried_count: optional(self.of("scm_fp_list", "count"))?,
            carried_files: optional(self.of("scm_fp_list", "fp"))?,
            socket_family: self.of("sock", "__sk_common.skc_family")?,
            ring_user_data: optional(self.of("io_kiocb", "cqe.user_data"))?,
            task_flags: self.member(&task, "task_struct", "flags")?,
            task_ring: optional(self.member(&task, "task_struct", "io_uring"))?,
            task_registered_rings: optional(self.of("io_uring_task", "registered_rings"))?,
            task_parent_exec_id: optional(self.member(&task, "task_struct", "parent_exec_id"))?,
            pid_ns_ids: optional(self.of("pid_namespace", "idr.idr_rt.xa_head"))?,
            tree_node_shift: optional(self.of("xa_node", "shift"))?,
            tree_node_slots: optional(self.of("xa_node", "slots"))?,
            socket_sock: self.of("socket", "sk")?,
            sock_type: self.of("sock", "sk_type")?,
            sock_protocol: self.of("sock", "sk_protocol")?,
            sock_destination: self.of("sock_common", "skc_daddr")?,
            sock_destination6: optional(self.of("sock_common", "skc_v6_daddr"))?,
            sock_destination_port: self.of("sock_common", "skc_dport")?,
            sock_peer_pid: self.of("sock", "sk_peer_pid")?,
            sock_peer_cred: self.of("sock", "sk_peer_cred")?,
            unix_address: self.of("unix_sock", "addr")?,
            unix_path_dentry: self.of("unix_sock", "path.dentry")?,
            unix_path_mnt: self.of("unix_sock", "path.mnt")?,
            unix_peer: self.of("unix_sock", "peer")?,
            unix_address_length: self.of("unix_address", "len")?,
            unix_address_name: self.of("unix_address", "name")?,
        })
    }

    /// How overlayfs keeps its layers, by this BTF.
    fn overlay(&self) -> Result<OverlayOffsets, KernelError> {
        Ok(OverlayOffsets {
            known: 1,
            inode: optional(self.of("ovl_inode", "vfs_inode"))?,
            upper: optional(self.of("ovl_inode", "__upperdentry"))?,
            lower: optional(self.of("ovl_inode", "lower"))?,
            lower_path: optional(self.of("ovl_inode", "lowerpath.dentry"))?,
            entry: optional(self.of("ovl_inode", "oe"))?,
            count: optional(self.of("ovl_entry", "__numlower"))?,
            stack: optional(self.of("ovl_entry", "__lowerstack"))?,
            dentry: optional(self.of("ovl_path", "dentry"))?,
            flags: optional(self.of("ovl_inode", "flags"))?,
            lower_data: optional(self.of("ovl_inode", "lowerdata"))?,
            real_file: optional(self.of("ovl_file", "realfile"))?,
        })
    }

    /// Where a file that is to be closed hangs in the list of what its task has still to do: from 6.7 under a name of its own, before that under
    /// two others.
    fn closing_work(&self, file: &Struct) -> Result<u32, KernelError> {
        for name in ["f_task_work", "f_rcuhead", "f_u.fu_rcuhead"] {
            let found = optional(self.member(file, "file", name))?;
            if found != MISSING {
                return Ok(found);
            }
        }
        Ok(MISSING)
    }

    /// The first that is there of the names that a member of an inode has had.
    fn either(&self, inode: &Struct, names: [&str; 3]) -> Result<u32, KernelError> {
        for name in names {
            match optional(self.member(inode, "inode", name))? {
                MISSING => {}
                found => return Ok(found),
            }
        }
        Ok(MISSING)
    }

    /// Where a ring keeps its fixed files: by its name from 6.13 on, or by that before.
    fn of_fixed_files(&self, names: [&str; 2]) -> Result<u32, KernelError> {
        match optional(self.of("io_ring_ctx", names[0]))? {
            MISSING => optional(self.of("io_ring_ctx", names[1])),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_btf_is_told_so() {
        let error = resolve(Path::new("/nonexistent/btf/vmlinux")).expect_err("there is none");
        assert!(error.to_string().contains("CONFIG_DEBUG_INFO_BTF"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_btf_is_an_error() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), b"not BTF at all, but long enough for a header").expect("written");
        assert!(matches!(resolve(file.path()), Err(KernelError::Btf { .. })));
    }

    #[test]
    fn this_kernel_has_every_member() {
        let path = Path::new("/sys/kernel/btf/vmlinux");
        if !path.exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let offsets = resolve(path).expect("all members are there");
        assert_ne!(offsets.task_pid, offsets.task_tgid);
        assert_ne!(offsets.inode_changed_ns, MISSING);
        assert_eq!(
            offsets.fs_root_dentry,
            offsets.fs_root_mnt + 8,
            "struct path is a mount and a dentry"
        );
    }
}
