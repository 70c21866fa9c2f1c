//! Bytes that were sent, as a file of packets (pcap) that other programs read.

/// What carries a flow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carrier {
    Tcp,
    Udp,
}

/// What one client says to port 443, packet by packet.
pub(crate) struct Flow {
    pub(crate) carrier: Carrier,
    /// The client's port.
    pub(crate) port: u16,
    pub(crate) packets: Vec<Vec<u8>>,
}

/// A file in which the flows come one after the other.
pub(crate) fn file(flows: &[Flow]) -> Vec<u8> {
    /// Packets begin with the header of IP.
    const RAW: u32 = 101;
    let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    for number in [2_u16, 4] {
        file.extend(number.to_le_bytes());
    }
    for number in [0, 0, 0x4_0000, RAW] {
        file.extend(number.to_le_bytes());
    }
    let mut second: u32 = 0;
    for flow in flows {
        let mut sequence: u32 = 1;
        for said in &flow.packets {
            second += 1;
            let packet = packet(flow, sequence, said);
            sequence += u32::try_from(said.len()).expect("short");
            let length = u32::try_from(packet.len()).expect("short");
            for number in [second, 0, length, length] {
                file.extend(number.to_le_bytes());
            }
            file.extend(packet);
        }
    }
    file
}

/// A packet of IPv4. Its checksums are none.
fn packet(flow: &Flow, sequence: u32, said: &[u8]) -> Vec<u8> {
    let ports = [flow.port, 443].map(u16::to_be_bytes).concat();
    let (protocol, header) = match flow.carrier {
        Carrier::Tcp => {
            let of_flags = [0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0];
            let numbers = [sequence, 1].map(u32::to_be_bytes).concat();
            (6, [&ports[..], &numbers, &of_flags].concat())
        }
        Carrier::Udp => {
            let length = u16::try_from(8 + said.len()).expect("short");
            (17, [&ports[..], &length.to_be_bytes(), &[0, 0]].concat())
        }
    };
    let all = u16::try_from(20 + header.len() + said.len()).expect("short");
    let [high, low] = all.to_be_bytes();
    let of_ip = [0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0];
    [&of_ip[..], &[127, 0, 0, 1], &[127, 0, 0, 2], &header, said].concat()
}
