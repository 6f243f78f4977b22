//! The `memfault` commands inside GDB, with the real GDB on targets in QEMU.

use crate::live;
use crate::peripherals;
use crate::support::file;
use crate::support::folder::Folder;
use crate::support::http::{Http, Request};
use crate::support::manifest::{self, Case};
use crate::support::program::run;
use crate::support::qemu::Qemu;
use mflt::format;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A GDB that has the commands and finds the program under test.
fn gdb(home: &Path) -> Command {
    let mut command = Command::new("gdb-multiarch");
    command.env("LC_ALL", "C").env("HOME", home).env("MFLT", env!("CARGO_BIN_EXE_mflt"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set width 0", "-ex"]);
    command.arg(format!("source {}", file("gdb-scripts/memfault.py").display()));
    command
}

/// What GDB prints for `commands` at the stop of a case; the target stays stopped.
fn at_stop(qemu: &Qemu, case: &Case, folder: &Folder, commands: &[&str]) -> String {
    let mut command = gdb(folder.path());
    command.arg(file(case.elf())).args(["-ex", &format!("target remote {}", qemu.server())]);
    for one in commands {
        command.args(["-ex", one]);
    }
    let output = run(command.args(["-ex", "disconnect"]));
    output.stdout + &output.stderr
}

/// A report without the line that says how the dump was made.
fn report(core: &Path, case: &Case) -> Value {
    let mut report = live::analyze(core, case).unwrap();
    report["device"]["origin"] = Value::Null;
    report
}

#[test]
fn capture_in_gdb_gives_the_report_of_the_program_and_leaves_the_target_as_it_was() {
    // A guard that the MPU hides, floating point, TrustZone, Armv6-M.
    for id in [
        "mps2-an386-Og-stackoverflow",
        "mps2-an500-Og-fpu",
        "mps2-an505-Og-mpu",
        "microbit-Og-nullptr",
    ] {
        let case = manifest::case(id);
        let folder = Folder::new();
        let qemu = Qemu::at_stop(case).unwrap();
        let [before, within, after] = ["before", "within", "after"].map(|name| folder.file(name));
        live::capture(&qemu, case, &before).unwrap();
        let save = format!("memfault save {}", within.display());
        let text = at_stop(&qemu, case, &folder, &[&save]);
        assert!(text.contains("Capturing through GDB "), "{text}");
        live::capture(&qemu, case, &after).unwrap();
        assert_eq!(report(&before, case), report(&within, case), "{id}");
        assert_eq!(report(&before, case), report(&after, case), "{id}");
        let registers = |path: &Path| format::open(&fs::read(path).unwrap()).unwrap().registers;
        assert_eq!(registers(&before), registers(&within), "{id}");
        assert_eq!(registers(&before), registers(&after), "{id}");
    }
}

fn demo() -> (&'static Case, Qemu, Folder) {
    let case = manifest::case("mps2-an386-Og-stackoverflow");
    let qemu = Qemu::at_stop(case).unwrap();
    (case, qemu, Folder::new())
}

#[test]
fn commands_print_the_parts_of_the_report_and_gdb_is_as_before() {
    let (case, qemu, folder) = demo();
    let text = at_stop(
        &qemu,
        case,
        &folder,
        &[
            "frame 1",
            "memfault cause",
            "mflt fault",
            "memfault threads",
            "memfault frame-locals",
            "mflt frame-locals 99",
            "memfault report --full",
            "echo as before\\n",
            "frame",
            "show mem inaccessible-by-default",
        ],
    );
    for part in [
        "Stack overflow in thread accel-workq: PSP",
        "DACCVIOL: data access to a location the MPU forbids",
        "mutex_waiter      pending",
        "        twiddle = {",
        "        level = 13",
        "frames, counted from 0",
        "\nGlobals\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("Capturing through"), "{text}");
    let (_, after) = text.split_once("as before\n").unwrap();
    assert!(after.starts_with("#1 "), "{after}");
    assert!(after.contains("will be treated as inaccessible"), "{after}");
}

#[test]
fn regions_are_gdb_expressions_and_identity_is_kept() {
    let (case, qemu, folder) = demo();
    let core = folder.file("regions.core");
    let coredump = format!(
        "memfault coredump live -r &g_accel_job sizeof(g_accel_job) -r '$sp - 16' 1K \
         -r g_accel_job g_accel_job -o {} --device-serial unit-7 --software-version '1.2 (rc)'",
        core.display()
    );
    let text = at_stop(&qemu, case, &folder, &[&coredump]);
    let snapshot = format::open(&fs::read(&core).expect(&text)).unwrap();
    assert_eq!(snapshot.identity.device_serial.as_deref(), Some("unit-7"));
    assert_eq!(snapshot.identity.software_version.as_deref(), Some("1.2 (rc)"));
    assert_eq!(snapshot.identity.software_type, None, "nothing is made up");
    let sp = snapshot.registers.sp().unwrap();
    for held in [mflt::base::Address(sp - 16), mflt::base::Address(sp + 0x3ec)] {
        assert!(snapshot.memory.slice_from(held).is_some(), "{held}");
    }
    assert!(snapshot.memory.size() < 0x2000, "only what was asked for");
    let bad = at_stop(
        &qemu,
        case,
        &folder,
        &[
            "memfault coredump -r nix 4 -o no.core",
            "memfault coredump -o no.core -r 0x20000000",
            "memfault coredump --device-serial 'a b'",
            "memfault coredump --bogus",
            "memfault bogus",
        ],
    );
    for line in [
        "`nix` is no number: No symbol \"nix\" in current context.",
        "expected 2 arguments",
        "`a b` is no name",
        "unrecognized arguments: --bogus",
        "`memfault` has no command `bogus`: see `help memfault`",
    ] {
        assert!(bad.contains(line), "{line}: {bad}");
    }
    assert!(!bad.contains("Traceback"), "{bad}");
}

#[test]
fn registers_of_peripherals_are_captured_and_told() {
    let (case, qemu, folder) = demo();
    let svd = folder.write("mps2.svd", peripherals::SVD.as_bytes());
    let svd = format!("--svd {}", svd.display());
    let core = folder.file("uart.core");
    let text = at_stop(
        &qemu,
        case,
        &folder,
        &[
            &format!("memfault report {svd} --peripheral UART0.STATE --peripheral uart0.cid0"),
            &format!("memfault save {} {svd} --peripheral UART0", core.display()),
            &format!("memfault coredump {svd} --peripheral UART9 -o no.core"),
            &format!("memfault report {svd}"),
            "memfault coredump --peripheral UART0",
        ],
    );
    // PrimeCell identification of the port: DDI 0479, table 4-5.
    for part in [
        "CID0 ",
        "0x0000000d",
        "note: not read, as reading changes them: UART0.DATA",
        "no peripheral or register `UART9` that can be read",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("--svd FILE and --peripheral NAME need each other").count(), 2);
    let memory = format::open(&fs::read(&core).unwrap()).unwrap().memory;
    let held = |address| memory.slice_from(mflt::base::Address(address)).map(|bytes| bytes.len());
    assert_eq!((held(0x4000_4000), held(0x4000_4004), held(0x4000_4ffc)), (None, Some(4), Some(4)));
}

#[test]
fn targets_that_cannot_be_captured_are_refused_in_one_line() {
    let folder = Folder::new();
    let elsewhere = run(gdb(folder.path()).arg("/bin/true").args([
        "-ex",
        "memfault threads",
        "-ex",
        "starti",
        "-ex",
        "memfault threads",
    ]));
    assert!(elsewhere.stderr.contains("no target: connect to one first"), "{}", elsewhere.stderr);
    assert!(
        elsewhere.stderr.contains("no Arm Cortex-M: GDB calls it `i386"),
        "{}",
        elsewhere.stderr
    );
    let core = run(gdb(folder.path())
        .arg(file("fixtures/demo/firmware.elf"))
        .arg(file("fixtures/demo/crash.core"))
        .args(["-ex", "memfault cause", "-ex", "memfault save x.core"]));
    assert!(core.stdout.contains("Stack overflow in thread accel-workq"), "{}", core.stdout);
    assert!(core.stderr.contains("this is a core file"), "{}", core.stderr);
    let mut lost = gdb(folder.path());
    lost.arg(file("fixtures/demo/firmware.elf")).arg(file("fixtures/demo/crash.core"));
    lost.env("MFLT", "/nowhere/mflt").env("PATH", "/usr/bin:/bin");
    let lost = run(lost.args(["-ex", "memfault cause"]));
    assert!(lost.stderr.contains("the program `mflt` is not found"), "{}", lost.stderr);
}

#[test]
fn coredump_survives_a_full_disk() {
    let (case, qemu, folder) = demo();
    let temporary = folder.path().display().to_string();
    let commands =
        [&format!("python os.environ['TMPDIR'] = '{temporary}'"), "memfault save /dev/full"];
    let text = at_stop(&qemu, case, &folder, &commands.map(|c| c));
    assert!(text.contains("writing coredump `/dev/full`: No space left on device"), "{text}");
    let (_, hint) = text.split_once("hint: the coredump is in `").expect(&text);
    let path = Path::new(hint.split('`').next().unwrap());
    assert!(path.starts_with(folder.path()), "{text}");
    assert_eq!(report(path, case)["category"], "StackOverflow");
}

#[test]
fn ctrl_c_in_gdb_leaves_what_was_read_until_then() {
    let (case, qemu, folder) = demo();
    let core = folder.file("part.core");
    // Somebody presses Ctrl-C while GDB reads memory for the tenth time.
    let script = "import os, signal\n\
        from mflt_gdb import bridge\n\
        read, count = bridge.Target.read, [0]\n\
        def interrupted(self, address, size):\n\
        \x20   count[0] += 1\n\
        \x20   if count[0] == 10:\n\
        \x20       os.kill(os.getpid(), signal.SIGINT)\n\
        \x20   return read(self, address, size)\n\
        bridge.Target.read = interrupted\n";
    let script = folder.write("press.py", script.as_bytes());
    let commands = [
        format!("source {}", script.display()),
        format!("memfault coredump --no-upload -r 0x20000000 4M -o {}", core.display()),
        "echo still here\\n".to_string(),
    ];
    let text = at_stop(&qemu, case, &folder, &commands.each_ref().map(String::as_str));
    assert!(text.contains("interrupted"), "{text}");
    assert!(text.contains("still here"), "{text}");
    let part = format::open(&fs::read(&core).unwrap()).unwrap();
    assert_eq!(part.origin.complete, Some(false));
    assert!(part.registers.pc().is_some() && part.memory.size() < 4 << 20, "{text}");
}

/// A server that knows one key and has no symbols yet.
fn stand_in(request: &Request, uri: &str) -> (u16, String) {
    let allowed = request.header("authorization") == Some("Bearer k3y");
    let path = request.line.split_once(' ').map_or("", |(_, path)| path);
    let project = path.strip_prefix("/api/v0/organizations/acme/projects/node/");
    match (path, project) {
        ("/api/v0/upload/coredump", _) => match request.header("memfault-project-key") {
            Some("pr0ject") => (202, String::new()),
            _ => (403, String::new()),
        },
        ("/put-here", _) => (200, String::new()),
        ("/auth/me", _) if allowed => (200, r#"{"id": 7}"#.to_string()),
        (_, Some("upload")) if allowed => {
            (200, format!(r#"{{"data": {{"token": "t0k", "upload_url": "{uri}/put-here"}}}}"#))
        }
        (_, Some("symbols")) if allowed => (202, "{}".to_string()),
        (_, Some("api_key")) if allowed => (200, r#"{"data": {"api_key": "pr0ject"}}"#.to_string()),
        (_, Some(_)) if allowed => (404, String::new()),
        _ => (401, String::new()),
    }
}

fn login(server: &Http, key: &str) -> String {
    format!("memfault login {key} -o acme -p node --api-uri {}", server.uri)
}

#[test]
fn upload_sends_symbols_and_coredump_once_the_user_agrees() {
    let (case, qemu, folder) = demo();
    let server = Http::start(stand_in);
    let core = folder.file("up.core");
    let coredump = format!("memfault coredump -o {}", core.display());
    let login = login(&server, "k3y");
    // Nobody is there to say yes.
    let text = at_stop(&qemu, case, &folder, &[&login, &coredump]);
    assert!(text.contains("Nothing is captured"), "{text}");
    assert_eq!(server.lines(), ["GET /auth/me"], "{text}");
    assert!(!core.exists());

    fs::create_dir_all(folder.file(".memfault")).unwrap();
    folder.write(".memfault/gdb.json", br#"{"coredump.allow": true}"#);
    let text = at_stop(&qemu, case, &folder, &[&login, &coredump]);
    assert!(text.contains("Coredump uploaded."), "{text}");
    assert!(text.contains("/organizations/acme/projects/node/issues"), "{text}");
    let requests = server.requests();
    let project = "/api/v0/organizations/acme/projects/node";
    let version = format!("GET {project}/software_types/main/software_versions/1.0.0-md5+");
    assert!(requests[2].line.starts_with(&version), "{}", requests[2].line);
    assert_eq!(
        server.lines()[3..],
        [
            format!("POST {project}/upload"),
            "PUT /put-here".to_string(),
            format!("POST {project}/symbols"),
            format!("GET {project}/api_key"),
            "POST /api/v0/upload/coredump".to_string(),
        ]
    );
    assert_eq!(requests[4].body, fs::read(file(case.elf())).unwrap());
    let commit: Value = serde_json::from_slice(&requests[5].body).unwrap();
    assert_eq!(commit["file"]["token"], "t0k");
    assert_eq!(commit["software_version"]["software_type"], "main");
    // What arrives is a binary coredump that says the same.
    let sent = format::open(&requests[7].body).unwrap();
    assert_eq!(sent.identity.device_serial.as_deref(), Some("DEMOSERIALNUMBER"));
    assert_eq!(sent.identity.hardware_version.as_deref(), Some("DEVBOARD"));
    let arrived = folder.write("arrived.bin", &requests[7].body);
    assert_eq!(report(&arrived, case)["title"], report(&core, case)["title"]);
}

#[test]
fn consent_is_asked_once_and_kept() {
    let (case, qemu, folder) = demo();
    let server = Http::start(stand_in);
    let script = folder.write(
        "commands.gdb",
        format!(
            "target remote {}\n{}\nmemfault coredump -ns -o one.core\n\
             memfault coredump -ns -o two.core\ndisconnect\n",
            qemu.server(),
            login(&server, "k3y")
        )
        .as_bytes(),
    );
    let gdb = gdb(folder.path());
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).args(["-c", "echo y | exec \"$0\" \"$@\""]);
    shell.arg(gdb.get_program()).args(gdb.get_args());
    shell.envs(gdb.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.arg(file(case.elf())).arg("-x").arg(script);
    let output = run(&mut shell);
    assert_eq!(output.stdout.matches("Proceed? [y/n]").count(), 1, "{output:?}");
    assert_eq!(output.stdout.matches("Coredump uploaded.").count(), 2, "{output:?}");
    let kept = fs::read_to_string(folder.file(".memfault/gdb.json")).unwrap();
    assert!(kept.contains("\"coredump.allow\": true"), "{kept}");
}

#[test]
fn what_the_server_refuses_is_told_and_the_file_stays() {
    let (case, qemu, folder) = demo();
    fs::create_dir_all(folder.file(".memfault")).unwrap();
    folder.write(".memfault/gdb.json", br#"{"coredump.allow": true}"#);
    let server = Http::start(|request, uri| match request.line.as_str() {
        "POST /api/v0/upload/coredump" if request.header("memfault-project-key") == Some("old") => {
            (409, String::new())
        }
        "POST /api/v0/upload/coredump" => (500, String::new()),
        _ => stand_in(request, uri),
    });
    let core = folder.file("kept.core");
    let coredump = format!("memfault coredump -ns -o {}", core.display());
    let known = format!("{coredump} -pk old");
    let nobody = "memfault login k3y -o acme -p node --api-uri http://127.0.0.1:1";
    let unknown = login(&server, "wrong");
    let login = login(&server, "k3y");
    let text = at_stop(&qemu, case, &folder, &[nobody, &unknown, &login, &coredump, &known]);
    for part in [
        "login failed: http://127.0.0.1:1/auth/me cannot be reached",
        "login failed: the server does not know this key",
        "/api/v0/upload/coredump answers 500 Told\nit is kept in `",
        "The server has this coredump already.",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(report(&core, case)["category"], "StackOverflow");
    assert!(!text.contains("Traceback"), "{text}");
}

#[test]
fn chunk_handler_sends_each_chunk_and_the_target_goes_on() {
    // A function of the fixture that is given a pointer and a length stands in for the one that
    // hands chunks out.
    let case = manifest::case("mps2-an386-Og-stackoverflow-noframe");
    let function = "fft_squeeze";
    let statuses = [202, 500];
    for status in statuses {
        let folder = Folder::new();
        let qemu = Qemu::at(case, &[], 0).unwrap();
        let server = Http::start(move |_, _| (status, String::new()));
        let log = folder.file("chunks.log");
        let to_file = format!("memfault install_chunk_handler -o {} -ch {function}", log.display());
        let to_server = format!(
            "memfault install_chunk_handler -pk KEY --chunks-uri {} -ch {function} --verbose",
            server.uri
        );
        let stop = format!("tbreak *{:#x}", case.stop_address());
        let commands = if status == 202 {
            vec![to_file.as_str(), &stop, "continue"]
        } else {
            vec![to_file.as_str(), &to_server, &stop, "continue", "info symbol $pc"]
        };
        let text = at_stop(&qemu, case, &folder, &commands);
        assert!(text.contains("The chunk handler is installed on `fft_squeeze`."), "{text}");
        if status == 202 {
            let lines = fs::read_to_string(&log).expect(&text);
            assert!(lines.starts_with("MC:") && lines.ends_with(":\n"), "{lines}");
            assert!(text.contains("Temporary breakpoint"), "{text}");
        } else {
            assert!(!log.exists(), "the second handler replaces the first");
            let request = &server.requests()[0];
            assert_eq!(request.line, "POST /api/v0/chunks/GDB_TESTSERIAL");
            assert_eq!(request.header("memfault-project-key"), Some("KEY"));
            assert!(!request.body.is_empty());
            assert!(text.contains("answers 500 Told"), "{text}");
            assert!(
                text.contains("fft_squeeze in section"),
                "the target halts where it was: {text}"
            );
        }
    }
}
