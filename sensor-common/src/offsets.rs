//! Where the running kernel keeps what the programs read. Filled from its BTF before load, then frozen.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Stands in the object for the kernel function `bpf_rdonly_cast`, whose BTF id differs between kernels: a helper's number that no kernel has.
pub const CALL_READ_ONLY_CAST: u32 = 0x7fc1_a516;

/// Stands for a member that this kernel does not have and that the programs can do without.
pub const MISSING: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident),+ $(,)?) => {
        /// Offsets in bytes.
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        pub struct Offsets {
            $($(#[$doc])* pub $field: u32,)+
        }
    };
}

offsets! {
    /// `task_struct.files`
    task_files,
    /// `task_struct.fs`
    task_fs,
    /// `task_struct.real_cred`: its own, whomever the kernel has it act as for the while
    task_real_cred,
    /// `task_struct.group_leader`
    task_group_leader,
    /// `task_struct.ptrace`: 0 while nobody traces it
    task_traced,
    /// `task_struct.parent`: who traces it, while somebody does
    task_tracer,
    /// `task_struct.real_parent`
    task_real_parent,
    /// `task_struct.pid`
    task_pid,
    /// `task_struct.tgid`
    task_tgid,
    /// `task_struct.start_boottime`
    task_start_boottime,
    /// `task_struct.comm`
    task_comm,
    /// `task_struct.mm`
    task_mm,
    /// `task_struct.nsproxy`
    task_nsproxy,
    /// `task_struct.signal`
    task_signal,
    /// `task_struct.loginuid`; [`MISSING`] without CONFIG_AUDIT
    task_loginuid,
    /// `task_struct.self_exec_id`
    task_exec_id,
    /// `task_struct.pid_links`
    task_pid_links,
    /// `signal_struct.live`
    signal_live,
    /// `signal_struct.group_exit_code`
    signal_exit_code,
    /// `signal_struct.oom_score_adj`
    signal_oom_score,
    /// `signal_struct.pids`: of a process, by what it names; [`MISSING`] before 4.19
    signal_pids,
    /// `signal_struct.nr_threads`
    signal_threads,
    /// `files_struct.count`: how many tasks share it
    files_count,
    /// `files_struct.fd_array`: where the table is that a process begins with
    files_first,
    /// `files_struct.fdt`
    files_fdt,
    /// `fdtable.fd`
    fdtable_fd,
    /// `fdtable.max_fds`
    fdtable_max,
    /// `fdtable.open_fds`
    fdtable_open,
    /// `file.f_op`
    file_operations,
    /// `file.f_inode`
    file_inode,
    /// `file.f_mode`
    file_mode,
    /// `file.f_flags`
    file_flags,
    /// `file.f_path.dentry`
    file_dentry,
    /// `file.f_path.mnt`
    file_mnt,
    /// `path.dentry`
    path_dentry,
    /// `inode.i_ino`
    inode_ino,
    /// `inode.i_generation`
    inode_generation,
    /// `inode.i_size`
    inode_size,
    /// `inode.i_mtime_sec` (6.11), `__i_mtime.tv_sec` (6.7) or `i_mtime.tv_sec`; [`MISSING`] where it is called something else
    inode_modified_s,
    /// The same in nanoseconds; 64 bits before 6.11, of which the lower 32 are read
    inode_modified_ns,
    /// `inode.i_ctime_sec` (6.11), `__i_ctime.tv_sec` (6.6) or `i_ctime.tv_sec`; [`MISSING`] where it is called something else
    inode_changed_s,
    /// The same in nanoseconds, as above
    inode_changed_ns,
    /// `inode.i_mode`
    inode_mode,
    /// `inode.i_rdev`
    inode_rdev,
    /// `inode.i_private`
    inode_private,
    /// `inode.i_mapping`
    inode_mapping,
    /// `address_space.i_mmap_writable`: how often it is mapped so that stores go to the file; negative where it must not be
    mapping_writable,
    /// `inode.i_sb`
    inode_sb,
    /// `super_block.s_dev`
    sb_dev,
    /// `dentry.d_parent`
    dentry_parent,
    /// `dentry.d_inode`
    dentry_inode,
    /// `dentry.d_name.name`
    dentry_name,
    /// `mount.mnt` within its `mount`
    mount_mnt,
    /// `mount.mnt_parent`
    mount_parent,
    /// `mount.mnt_mountpoint`
    mount_mountpoint,
    /// `mount.mnt_ns`
    mount_namespace,
    /// `mount.mnt_id`
    mount_id,
    /// `mount.mnt_id_unique` (6.8)
    mount_unique_id,
    /// `vfsmount.mnt_root`
    vfsmount_root,
    /// `fs_struct.root.dentry`
    fs_root_dentry,
    /// `fs_struct.root.mnt`
    fs_root_mnt,
    /// `fs_struct.pwd.dentry`
    fs_pwd_dentry,
    /// `fs_struct.pwd.mnt`
    fs_pwd_mnt,
    /// `mm_struct.exe_file`
    mm_exe_file,
    /// `cred.uid`
    cred_uid,
    /// `cred.gid`
    cred_gid,
    /// `cred.euid`
    cred_euid,
    /// `cred.egid`
    cred_egid,
    /// `cred.cap_effective`
    cred_cap_effective,
    /// `cred.user_ns`
    cred_user_ns,
    /// `nsproxy.mnt_ns`
    nsproxy_mnt_ns,
    /// `nsproxy.net_ns`
    nsproxy_net_ns,
    /// `mnt_namespace.ns.inum`
    mnt_ns_inum,
    /// `mnt_namespace.ns.ns_id` (6.18) or `mnt_namespace.seq`: a number that no other namespace had since boot; [`MISSING`] where it is called
    /// something else
    mnt_ns_sequence,
    /// `pid_namespace.ns.inum`
    pid_ns_inum,
    /// `net.ns.inum`
    net_ns_inum,
    /// `user_namespace.ns.inum`
    user_ns_inum,
    /// `pt_regs.di`: first argument of a system call
    regs_first,
    /// `pt_regs.si`: second argument
    regs_second,
    /// `pt_regs.dx`: third argument
    regs_third,
    /// `pt_regs.r10`: fourth argument
    regs_fourth,
    /// `pt_regs.r8`: fifth argument
    regs_fifth,
    /// `proc_inode.pid`; [`MISSING`] without procfs
    proc_pid,
    /// `proc_inode.vfs_inode`; [`MISSING`] without procfs
    proc_inode,
    /// `pid.tasks`
    pid_tasks,
    /// `io_kiocb.opcode`; [`MISSING`] without io_uring, as all that follow
    ring_opcode,
    /// `io_kiocb.flags`
    ring_flags,
    /// `io_kiocb.cmd`
    ring_command,
    /// `io_open.dfd`
    ring_open_directory,
    /// `io_open.filename`
    ring_open_name,
    /// `io_open.file_slot`
    ring_open_slot,
    /// `io_open.how.flags`
    ring_open_flags,
    /// `io_open.how.resolve`
    ring_open_resolve,
    /// `io_uring_cqe.res`
    ring_result,
    /// `filename.name`
    filename_name,
    /// BTF id of `struct kiocb`, which is no offset: a structure with a pointer to a file
    kiocb_type,
    /// `kiocb.ki_filp`
    kiocb_file,
    /// `file.private_data`
    file_private,
    /// `bpf_map.id`
    bpf_map_id,
    /// `bpf_prog.aux`
    bpf_program_aux,
    /// `bpf_prog_aux.id`
    bpf_aux_id,
    /// `bpf_link.id`; [`MISSING`] before 5.7
    bpf_link_id,
    /// `mm_struct.arg_start`
    mm_arg_start,
    /// `mm_struct.arg_end`
    mm_arg_end,
    /// `mm_struct.env_start`
    mm_env_start,
    /// `mm_struct.env_end`
    mm_env_end,
    /// `mm_struct.mm_users`: how many tasks share it, and whoever looks into it just now
    mm_users,
    /// `task_struct.cgroups`; [`MISSING`] without cgroups, as the three that follow
    task_cgroups,
    /// `css_set.dfl_cgrp`
    css_set_cgroup,
    /// `cgroup.kn`
    cgroup_node,
    /// `kernfs_node.id`
    node_id,
    /// `vm_area_struct.vm_file`
    area_file,
    /// `open_flags.open_flag`
    how_flags,
    /// `open_flags.lookup_flags`
    how_lookup,
    /// `thread_info.status` within its `task_struct`; [`MISSING`] where no 32-bit system calls are told by it, as the three that follow
    thread_status,
    /// `pt_regs.orig_ax`: number of a system call
    regs_number,
    /// `pt_regs.bx`: first argument of a 32-bit system call
    regs_compat_first,
    /// `pt_regs.cx`: second argument of one
    regs_compat_second,
    /// `super_block.s_magic`
    sb_magic,
    /// `super_block.s_flags`
    sb_flags,
    /// `inode.i_uid`
    inode_uid,
    /// `inode.i_gid`
    inode_gid,
    /// `iattr.ia_valid`
    attributes_valid,
    /// `renamedata.old_dentry`; [`MISSING`] before 5.12, as the two that follow
    rename_old,
    /// `renamedata.new_dentry`
    rename_new,
    /// `renamedata.flags`
    rename_flags,
    /// `io_rename.old_dfd`
    ring_rename_old_directory,
    /// `io_rename.new_dfd`
    ring_rename_new_directory,
    /// `io_rename.oldpath`
    ring_rename_old,
    /// `io_rename.newpath`
    ring_rename_new,
    /// `io_rename.flags`
    ring_rename_flags,
    /// `io_unlink.dfd`
    ring_unlink_directory,
    /// `io_unlink.filename`
    ring_unlink_name,
    /// `io_unlink.flags`
    ring_unlink_flags,
    /// `io_mkdir.dfd`
    ring_mkdir_directory,
    /// `io_mkdir.filename`
    ring_mkdir_name,
    /// `io_link.old_dfd`
    ring_link_old_directory,
    /// `io_link.new_dfd`
    ring_link_new_directory,
    /// `io_link.oldpath`
    ring_link_old,
    /// `io_link.newpath`
    ring_link_new,
    /// `linux_binprm.filename`
    binprm_filename,
    /// `linux_binprm.interp`
    binprm_interpreter,
    /// `task_struct.task_works`
    task_works,
    /// `file.f_task_work`, or what was there before; [`MISSING`] where neither is known
    file_work,
    /// `inode.i_nlink`
    inode_links,
    /// `dentry.d_hash.pprev`
    dentry_hashed,
    /// `io_kiocb.ctx`; [`MISSING`] without io_uring, as all that follow
    ring_context,
    /// `io_ring_ctx.flags`
    ring_setup,
    /// `io_ring_ctx.file_table.data.nodes` (6.13) or `file_table.files`: the fixed files
    ring_files,
    /// `io_ring_ctx.file_table.data.nr` (6.13) or `nr_user_files`: how many places there are for them
    ring_files_count,
    /// `io_rsrc_node.file_ptr`; [`MISSING`] before 6.13, where the file stands in the table itself
    ring_node_file,
    /// `io_kiocb.file`; [`MISSING`] before 5.15, as what follows
    ring_file,
    /// `io_kiocb.cqe.fd`: the descriptor, or the place of a fixed file; [`MISSING`] before 5.19
    ring_descriptor,
    /// `io_xattr.filename`
    ring_attribute_path,
    /// `io_xattr.ctx.kname`: a structure that begins with the name
    ring_attribute_name,
    /// `io_ring_ctx.submit_state.compl_reqs`: what has run and is not completed yet; [`MISSING`] before 5.16, as what follows
    ring_completed,
    /// `io_kiocb.comp_list`: its place among these
    ring_completed_node,
    /// `io_kiocb.cqe.res`; [`MISSING`] before 5.19
    ring_own_result,
    /// The flag in `io_kiocb.flags` that says that a request has something to let go, of an open its name: `REQ_F_NEED_CLEANUP`. No offset
    ring_has_name,
    /// `task_struct.thread_pid`
    task_thread_pid,
    /// `pid.level`: how deep the pid namespace lies in which it was made; 0 for the first
    pid_level,
    /// `pid.numbers`: for each of these namespaces a `struct upid`
    pid_numbers,
    /// `upid.ns`
    upid_namespace,
    /// `user_namespace.uid_map.extent`: ranges of ids, a few
    user_ns_extents,
    /// `user_namespace.uid_map.nr_extents`
    user_ns_extents_count,
    /// `user_namespace.uid_map.forward`: where there are more of them
    user_ns_more_extents,
    /// `sk_buff.sk`
    buffer_socket,
    /// `sk_buff.cb`, and in it, for a unix socket, `unix_skb_parms.fp`; [`MISSING`] without unix sockets, as the two that follow
    buffer_carried,
    /// `scm_fp_list.count`
    carried_count,
    /// `scm_fp_list.fp`
    carried_files,
    /// `sock.__sk_common.skc_family`
    socket_family,
    /// `io_kiocb.cqe.user_data`
    ring_user_data,
    /// `task_struct.flags`
    task_flags,
    /// `task_struct.io_uring`
    task_ring,
    /// `io_uring_task.registered_rings` (5.18)
    task_registered_rings,
    /// `task_struct.parent_exec_id`
    task_parent_exec_id,
    /// `pid_namespace.idr.idr_rt.xa_head`: the tree of its process and thread ids; [`MISSING`] where it is kept otherwise, as the two that follow
    pid_ns_ids,
    /// `xa_node.shift`
    tree_node_shift,
    /// `xa_node.slots`
    tree_node_slots,
    /// `socket.sk`
    socket_sock,
    /// `sock.sk_type`
    sock_type,
    /// `sock.sk_protocol`: 16 bits since 5.6
    sock_protocol,
    /// `sock.__sk_common.skc_daddr`
    sock_destination,
    /// `sock.__sk_common.skc_v6_daddr`; without IPv6 there is none
    sock_destination6,
    /// `sock.__sk_common.skc_dport`
    sock_destination_port,
    /// `sock.sk_peer_pid`
    sock_peer_pid,
    /// `sock.sk_peer_cred`
    sock_peer_cred,
    /// `unix_sock.addr`
    unix_address,
    /// `unix_sock.path.dentry`
    unix_path_dentry,
    /// `unix_sock.path.mnt`
    unix_path_mnt,
    /// `unix_sock.peer`
    unix_peer,
    /// `unix_address.len`
    unix_address_length,
    /// `unix_address.name`
    unix_address_name,
}

/// How overlayfs keeps its layers: offsets in bytes. In a map of their own, for its module may come after the programs.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct OverlayOffsets {
    /// 1 where the others are known; written last.
    pub known: u32,
    /// `ovl_inode.vfs_inode`
    pub inode: u32,
    /// `ovl_inode.__upperdentry`
    pub upper: u32,
    /// `ovl_inode.lower`; [`MISSING`] on newer kernels
    pub lower: u32,
    /// `ovl_inode.lowerpath.dentry`; [`MISSING`] but for the kernels between
    pub lower_path: u32,
    /// `ovl_inode.oe`; [`MISSING`] before 6.5, as the three that follow
    pub entry: u32,
    /// `ovl_entry.__numlower`
    pub count: u32,
    /// `ovl_entry.__lowerstack`
    pub stack: u32,
    /// `ovl_path.dentry`
    pub dentry: u32,
    /// `ovl_inode.flags`
    pub flags: u32,
    /// `ovl_inode.lowerdata`; [`MISSING`] from 6.5 on, where it is the last of the layers
    pub lower_data: u32,
    /// `ovl_file.realfile`; [`MISSING`] before 6.13, where an open file leads to that of its layer itself
    pub real_file: u32,
}
