//! One nginx with three faces: the upstream that serves the file, a plain proxy before it, and a proxy that asks an
//! authorizer first. Also what its processes cost.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Nginx {
    master: Child,
    /// Ports.
    pub(crate) files: u16,
    pub(crate) plain: u16,
    pub(crate) asking: u16,
}

impl Nginx {
    pub(crate) fn start(directory: &Path, authorizer: u16) -> Self {
        let [files, plain, asking] = free_ports();
        let here = directory.display();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(user).unwrap();
        fs::create_dir(directory.join("html")).unwrap();
        fs::write(directory.join("html/file"), vec![b'x'; 1024]).unwrap();
        let configuration = format!(
            "daemon off; user {user}; pid {here}/nginx.pid; error_log {here}/nginx.log crit;
            worker_processes auto; worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; keepalive_requests 1000000000; open_file_cache max=16;
              client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;
              fastcgi_temp_path {here}/fastcgi; uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
              upstream files {{ server 127.0.0.1:{files}; keepalive 256; keepalive_requests 1000000000; }}
              upstream authorizer {{ server 127.0.0.1:{authorizer}; keepalive 256; keepalive_requests 1000000000; }}
              proxy_http_version 1.1; proxy_set_header Connection \"\";
              server {{ listen 127.0.0.1:{files} backlog=1024; root {here}/html; }}
              server {{ listen 127.0.0.1:{plain} backlog=1024; location / {{ proxy_pass http://files; }} }}
              server {{ listen 127.0.0.1:{asking} backlog=1024;
                location / {{ auth_request /authorize; proxy_pass http://files; }}
                location = /authorize {{ internal; proxy_pass http://authorizer; proxy_pass_request_body off;
                  proxy_set_header Connection \"\"; proxy_set_header Content-Length \"\"; }}
              }}
            }}"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let started = Command::new("nginx").arg("-e").arg(directory.join("nginx.log")).arg("-c").arg(&file).spawn();
        let Ok(master) = started else {
            panic!("this bench needs the program nginx; install the package nginx-light (Debian, Ubuntu)")
        };
        let nginx = Self { master, files, plain, asking };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", asking)).is_ok() {
                return nginx;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("nginx does not listen: {}", fs::read_to_string(directory.join("nginx.log")).unwrap_or_default())
    }

    /// Processor time of its workers and of this process so far, in seconds.
    pub(crate) fn processor_time(&self) -> f64 {
        let master = self.master.id();
        let workers = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        workers.split_whitespace().chain(["self"]).map(processor_time_of).sum()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM, which the master passes on to its workers; a kill would leave them.
        let _ = Command::new("kill").arg(self.master.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.master.wait();
    }
}

/// User and system time; the kernel counts both in hundredths of a second (proc(5), fields 14 and 15).
fn processor_time_of(process: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let ticks = after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
    ticks.sum::<f64>() / 100.0
}

fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
