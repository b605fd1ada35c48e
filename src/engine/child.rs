//! `bygone engine run`: the body of the child process that is the server.
//!
//! The password comes as the first line of standard input. An argument is seen by every user
//! of the machine in `ps`; an environment variable stays readable in `/proc/PID/environ` even
//! after it was removed, and removing it races with every thread that reads the environment.
//! A pipe is read once and gone. And the pipe is needed anyway: its end is the order to stop.
//!
//! SIGTERM is ignored. A service manager sends it to all processes of a service at once, and
//! the parent still wants to insert what it holds; it closes the pipe when it is done.

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_void};
use std::io::{self, BufRead, Read};
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libloading::Library;

use super::{EngineError, Readable, confine, folder, reader, server_config, wire};

/// The whole graceful end, from the request to the last table; shorter than the parent's [`super::STOP_WAIT`], so
/// that the child also ends when there is no parent to kill it.
const END_WAIT: Duration = Duration::from_secs(8);
/// How long the running server may take to accept the order.
const ORDER_WAIT: Duration = Duration::from_secs(2);
/// Ours has 64 characters.
const PASSWORD_LINE_BYTES_MAX: u64 = 1024;

/// Set before the server is stopped, so that its return does not count as a failure.
static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// The arguments of `bygone engine run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunArgs {
    /// `--library`: path of `libchdb.so`.
    pub library: PathBuf,
    /// `--data-dir`: the engine's own folder, absolute, which exists.
    pub data_dir: PathBuf,
    /// `--http-port`: on 127.0.0.1.
    pub http_port: u16,
    /// `--tcp-port`: on 127.0.0.1, for ClickHouse's native protocol. `None`: no listener.
    pub tcp_port: Option<u16>,
    /// `--memory-bytes-max`: what the server may allocate, in bytes.
    pub memory_bytes_max: u64,
    /// `--insecure`: accounts of its own though it can't be confined.
    pub insecure: bool,
    /// `--reader-database` and `--reader-view`, one for each view.
    pub readable: Option<Readable>,
}

impl RunArgs {
    /// The arguments after the program's name, as the command line takes them.
    #[must_use]
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![
            "engine".into(),
            "run".into(),
            "--library".into(),
            self.library.clone().into(),
            "--data-dir".into(),
            self.data_dir.clone().into(),
            "--http-port".into(),
            self.http_port.to_string().into(),
            "--memory-bytes-max".into(),
            self.memory_bytes_max.to_string().into(),
        ];
        if let Some(port) = self.tcp_port {
            arguments.extend(["--tcp-port".into(), port.to_string().into()]);
        }
        if self.insecure {
            arguments.push("--insecure".into());
        }
        if let Some(Readable { database, views }) = &self.readable {
            arguments.extend(["--reader-database".into(), database.into()]);
            for view in views {
                arguments.extend(["--reader-view".into(), view.into()]);
            }
        }
        arguments
    }
}

/// Is the server until standard input ends. Call it from `main` before there is any thread or
/// runtime: ClickHouse measures its stack by the thread that it is called on.
///
/// # Errors
///
/// [`EngineError::NoPassword`], [`EngineError::Held`], [`EngineError::Library`],
/// [`EngineError::Io`] before the server starts; [`EngineError::Returned`] if it ends without
/// having been asked.
pub fn run(args: &RunArgs) -> Result<(), EngineError> {
    ignore_sigterm();
    let password = read_password()?;
    let mut lock = folder::lock(&args.data_dir)?;
    folder::sign(&mut lock, &args.data_dir)?;
    let (port, own_password) = (args.http_port, password.clone());
    std::thread::Builder::new()
        .name("end-with-parent".to_owned())
        .spawn(move || end_with_parent(port, &own_password))
        .map_err(|source| EngineError::io("start a thread", source))?;
    let confined = confine::confine(args)?;
    if !confined {
        unconfined(args)?;
    }
    let reader = match &args.readable {
        Some(readable) if confined || args.insecure => reader::render(readable, &args.data_dir)?,
        _ => server_config::Parts::default(),
    };
    let config = server_config::render(args, &password, &reader);
    folder::write_private(&server_config::path(&args.data_dir), &config)?;
    let cause = serve(args)?;
    if ASKED_TO_END.load(Ordering::SeqCst) {
        return Ok(());
    }
    Err(EngineError::Returned { cause })
}

/// The kernel can't confine the server. That is logged, and then only bygone itself may query it.
fn unconfined(args: &RunArgs) -> Result<(), EngineError> {
    let accounts = args.data_dir.join("config.d");
    let has_accounts = std::fs::read_dir(&accounts).is_ok_and(|mut files| files.next().is_some());
    if has_accounts && !args.insecure {
        return Err(EngineError::Unconfined { accounts });
    }
    eprintln!(
        "this kernel can't confine the engine (Landlock): whoever has an account in it can read every file that bygone can"
    );
    Ok(())
}

fn read_password() -> Result<String, EngineError> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .take(PASSWORD_LINE_BYTES_MAX)
        .read_line(&mut line)
        .map_err(|source| EngineError::io("read standard input", source))?;
    match line.trim_end() {
        "" => Err(EngineError::NoPassword),
        password => Ok(password.to_owned()),
    }
}

/// Waits for the end of standard input, then ends the server: in good order if it listens,
/// else at once. A kill while it starts harms nothing; its store is made for that.
fn end_with_parent(port: u16, password: &str) {
    // Nothing is ever sent after the password. An error is an end as well.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    ASKED_TO_END.store(true, Ordering::SeqCst);
    if wire::ask(port, password, server_config::END, ORDER_WAIT).is_ok() {
        // The main thread returns from the server and ends the process, and so this wait.
        let deadline = Instant::now() + END_WAIT;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left);
        }
    }
    // Not `exit`: that would run the library's destructors under its running threads.
    let me = rustix::process::getpid();
    let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
}

type Serve = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut c_void;
type ResultError = unsafe extern "C" fn(*mut c_void) -> *const c_char;

/// Loads the library and runs the server in it. Returns its error when it ended.
fn serve(args: &RunArgs) -> Result<String, EngineError> {
    let failed = |cause: String| EngineError::Library {
        library: args.library.clone(),
        cause,
    };
    let arguments = server_config::arguments(args).map_err(|error| failed(error.to_string()))?;
    let count = c_int::try_from(arguments.len()).expect("eight arguments fit an int");
    let mut pointers: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
    pointers.push(ptr::null_mut());

    // SAFETY: loading runs the library's initialisers. It is the engine that this build was made for, checked by its
    // integrity, or one that the user names; there is no other guard.
    let library =
        unsafe { Library::new(&args.library) }.map_err(|error| failed(error.to_string()))?;
    // SAFETY: the types are those of `chdb.h`: `chdb_result * chdb_query_cmdline(int, char **)`
    // and `const char * chdb_result_error(chdb_result *)`.
    let (serve, result_error) = unsafe {
        let serve = library.get::<Serve>(c"chdb_query_cmdline");
        let error = library.get::<ResultError>(c"chdb_result_error");
        (
            *serve.map_err(|error| failed(error.to_string()))?,
            *error.map_err(|error| failed(error.to_string()))?,
        )
    };
    // SAFETY: `pointers` holds `count` strings that live on (they are never freed) and the
    // null after them, like the arguments of `main`. The result is read once and not freed:
    // the process ends. The error, if any, is a string that the result owns.
    let cause = unsafe {
        let result = serve(count, pointers.as_mut_ptr());
        let error = if result.is_null() {
            ptr::null()
        } else {
            result_error(result)
        };
        if error.is_null() {
            String::new()
        } else {
            CStr::from_ptr(error).to_string_lossy().into_owned()
        }
    };
    // Its threads may still run: it must stay where it is until the process ends.
    std::mem::forget(library);
    // A stack trace without names may follow.
    let cause = cause.lines().next().unwrap_or_default().trim();
    Ok(if cause.is_empty() {
        "it gave no reason".to_owned()
    } else {
        cause.to_owned()
    })
}

fn ignore_sigterm() {
    const SIG_IGN: usize = 1;
    unsafe extern "C" {
        fn signal(signal: c_int, handler: usize) -> usize;
    }
    // SAFETY: signal(2) with SIG_IGN runs no code of ours; 15 is a signal that may be ignored.
    unsafe { signal(rustix::process::Signal::TERM.as_raw(), SIG_IGN) };
}
