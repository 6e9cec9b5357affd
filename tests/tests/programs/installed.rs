//! Plugins that are kept: installed, listed, overruled, trusted or not, removed.

use selfsame_tests::{Ran, Running, Sandbox, plugins};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

/// Copies of the staged plugins in a folder of the sandbox, and the arguments that make them the only ones.
pub fn own_plugins(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.path("own");
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(plugins()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    // A copy of the program elsewhere has no plugins beside it.
    std::fs::copy(selfsame_tests::binary(), sandbox.path("selfsame")).unwrap();
    folder
}

pub fn run(sandbox: &Sandbox, arguments: &str) -> Ran {
    Running::start(&mut sandbox.command_of(&sandbox.path("selfsame"), arguments)).finish()
}

#[test]
fn an_installed_plugin_is_found_from_everywhere_and_not_replaced_by_accident() {
    let sandbox = Sandbox::new();
    own_plugins(&sandbox);
    let file = "own/libselfsame_plugin_shapes.so";
    let installed = run(&sandbox, &format!("plugins install {file}")).succeeded();
    assert!(installed.stdout.contains("shapes") && installed.stdout.contains("data-home"), "{}", installed.stdout);
    let listed = run(&sandbox, "plugins list").succeeded();
    assert!(listed.stdout.contains("data-home/selfsame/plugins (user's data folder)"), "{}", listed.stdout);
    let versions =
        format!("selfsame-plugin-shapes {0}; this one is selfsame-plugin-shapes {0}", env!("CARGO_PKG_VERSION"));
    run(&sandbox, &format!("plugins install {file}")).failed(2, &["shapes.so", &versions, "--force"]);
    let replaced = run(&sandbox, &format!("plugins install {file} --force")).succeeded();
    assert!(replaced.stdout.contains("in place of: selfsame-plugin-shapes 0"), "{}", replaced.stdout);

    sandbox.write("no_plugin.so", "text");
    run(&sandbox, "plugins install no_plugin.so").failed(4, &["no_plugin.so"]);
    let kept = std::fs::read_dir(sandbox.path("data-home/selfsame/plugins")).unwrap().count();
    assert_eq!(kept, 2, "nothing but the plugin and its digest");

    // A file of another name that provides the same data set would make both useless.
    std::fs::copy(sandbox.path(file), sandbox.path("own/libother.so")).unwrap();
    run(&sandbox, "plugins install own/libother.so").failed(2, &["`shapes` is provided by", "plugins remove"]);
    run(&sandbox, "plugins remove shaqes").failed(2, &["`shaqes`", "selfsame-plugin-shapes"]);
    let removed = run(&sandbox, "plugins remove shapes").succeeded();
    assert!(removed.stdout.contains("libselfsame_plugin_shapes.so is removed"), "{}", removed.stdout);
    assert_eq!(std::fs::read_dir(sandbox.path("data-home/selfsame/plugins")).unwrap().count(), 0);
    run(&sandbox, "plugins remove shapes").failed(2, &["nothing is installed"]);
    // Where the name is that of another file, this is said at once; copies do not count.
    let copied = run(&sandbox, "plugins install own/libother.so --plugins own").succeeded();
    assert!(!copied.stdout.contains("but `shapes`"), "{}", copied.stdout);
    place_shapes(&sandbox.path("named/libother.so"), 0o755, 0o644);
    let overruled = run(&sandbox, "plugins install named/libother.so --force --plugins own").succeeded();
    assert!(overruled.stdout.contains("but `shapes` is that of"), "{}", overruled.stdout);
    run(&sandbox, "plugins remove libother.so").succeeded();

    // A link is what is installed: it goes by its own name, and by those of the file that it leads to, which stays.
    let link = sandbox.path("data-home/selfsame/plugins/liblink.so");
    for name in ["liblink.so", "shapes"] {
        std::os::unix::fs::symlink(sandbox.path(file), &link).unwrap();
        let removed = run(&sandbox, &format!("plugins remove {name}")).succeeded();
        assert!(
            removed.stdout.contains("liblink.so is removed") && removed.stdout.contains("stays"),
            "{}",
            removed.stdout
        );
        assert!(link.symlink_metadata().is_err() && sandbox.path(file).exists());
    }
}

#[test]
fn an_installed_plugin_with_a_flipped_bit_is_refused_before_it_is_opened() {
    let sandbox = Sandbox::new();
    own_plugins(&sandbox);
    run(&sandbox, "plugins install own/libselfsame_plugin_shapes.so").succeeded();
    let installed = sandbox.path("data-home/selfsame/plugins/libselfsame_plugin_shapes.so");
    let whole = std::fs::read(&installed).unwrap();
    for place in [1, 7, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        std::fs::write(&installed, bytes).unwrap();
        let told = ["damaged or replaced since it was installed", "install it again"];
        run(&sandbox, &format!("plugins inspect {}", installed.display())).failed(4, &told);
        run(&sandbox, "data verify --set dataset.name=shapes").failed(2, &["libselfsame_plugin_shapes.so", told[0]]);
        assert!(run(&sandbox, "plugins list --json").succeeded().stdout.contains(told[0]));
    }
    // Replaced as a whole, with --force.
    run(&sandbox, "plugins install own/libselfsame_plugin_shapes.so --force").succeeded();
    run(&sandbox, "config check --set dataset.name=shapes --plugins own").succeeded();
}

#[test]
fn plugins_that_others_can_change_are_warned_of_and_refused_where_that_is_asked_for() {
    let cases = [
        (0o755, 0o644, None),
        (0o775, 0o644, Some("its folder can be written by its group (mode 775)")),
        (0o755, 0o666, Some("it can be written by others (mode 666)")),
    ];
    for (folder_mode, file_mode, warning) in cases {
        let sandbox = Sandbox::new();
        place_shapes(&sandbox.path("named/liba.so"), folder_mode, file_mode);
        let ran = sandbox.run("config check --set dataset.name=shapes --plugins named").succeeded();
        let listed = sandbox.run("plugins list --json --plugins named").succeeded().stdout;
        let strictly =
            |command: &str| Running::start(sandbox.command(command).env("SELFSAME_STRICT_PLUGINS", "1")).finish();
        let Some(warning) = warning else {
            assert!(!ran.stderr.contains("named/liba.so: it"), "{}", ran.stderr);
            strictly("plugins inspect named/liba.so").succeeded();
            continue;
        };
        assert!(ran.stderr.contains(warning) && listed.contains(warning), "{}\n{listed}", ran.stderr);
        strictly("plugins inspect named/liba.so").failed(4, &[warning, "SELFSAME_STRICT_PLUGINS"]);
        let listed = strictly("plugins list --json --plugins named").succeeded().stdout;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let file = listed.as_array().unwrap().iter().find(|file| file["path"].as_str().unwrap().ends_with("liba.so"));
        assert_eq!(file.unwrap()["ok"], false);
    }
}

#[test]
fn with_a_list_of_digests_only_what_is_on_it_is_used() {
    let sandbox = Sandbox::new();
    place_shapes(&sandbox.path("named/liba.so"), 0o755, 0o644);
    let with_list = |command: &str| {
        Running::start(sandbox.command(command).env("SELFSAME_ALLOWED_PLUGINS", sandbox.path("list"))).finish()
    };
    let digest = |file: &std::path::Path| {
        let digest = <sha2::Sha256 as sha2::Digest>::digest(std::fs::read(file).unwrap());
        base16ct::lower::encode_string(&digest)
    };
    let (own, resnet) = (digest(&sandbox.path("named/liba.so")), plugins().join("libselfsame_plugin_resnet.so"));
    let check =
        "config show --set dataset.name=shapes --set train.self_supervision.encoder_name=resnet8 --plugins named";
    with_list(check).failed(2, &["named/liba.so", "SELFSAME_ALLOWED_PLUGINS", "cannot be read"]);
    sandbox.write("list", &format!("{}  libselfsame_plugin_resnet.so\n", digest(&resnet)));
    with_list(check).failed(2, &["named/liba.so", &own, "SELFSAME_ALLOWED_PLUGINS"]);
    with_list("plugins inspect named/liba.so").failed(4, &["named/liba.so", &own]);
    with_list("plugins install named/liba.so").failed(4, &["named/liba.so", &own]);
    sandbox.write("list", &format!("{}  libselfsame_plugin_resnet.so\n{own}  liba.so\n", digest(&resnet)));
    with_list(check).succeeded();

    // A data set without code is a plugin file as any other.
    let film = "named/films.dataset.yaml";
    sandbox.write(film, "name: films\nreader: shapes\noptions: {train_size: 64}\n");
    let (mut allowed, films) = (std::fs::read_to_string(sandbox.path("list")).unwrap(), digest(&sandbox.path(film)));
    let check = "data verify --set dataset.name=films --plugins named";
    with_list(check).failed(2, &["films.dataset.yaml", &films, "SELFSAME_ALLOWED_PLUGINS"]);
    for command in ["inspect", "check", "install"] {
        with_list(&format!("plugins {command} {film}")).failed(4, &["films.dataset.yaml", &films]);
    }
    allowed += &format!("{films}  films.dataset.yaml\n");
    sandbox.write("list", &allowed);
    with_list(check).succeeded();
    sandbox.write(film, "name: films\nreader: shapes\noptions: {train_size: 65}\n");
    with_list(check).failed(2, &["films.dataset.yaml", "SELFSAME_ALLOWED_PLUGINS"]);
}

/// Another file with the plugin `shapes`, and the permissions of its folder and of itself.
pub fn place_shapes(path: &std::path::Path, folder_mode: u32, file_mode: u32) {
    let folder = path.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    let mut bytes = std::fs::read(plugins().join("libselfsame_plugin_shapes.so")).unwrap();
    bytes.push(0);
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(file_mode)).unwrap();
    std::fs::set_permissions(folder, Permissions::from_mode(folder_mode)).unwrap();
}

#[test]
fn a_plugin_in_place_of_another_is_told_of() {
    let check = "config check --set dataset.name=shapes";
    let told = |ran: &Ran, used: &str, passed_over: &str| {
        let (used, passed_over) = (format!("is that of {used}"), format!("not of {passed_over}"));
        let lines: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("warning:")).collect();
        assert_eq!(lines.len(), 1, "{}", ran.stderr);
        for part in ["the data set `shapes`", &used, &passed_over, "--plugins"] {
            assert!(lines[0].contains(part), "`{part}` is not in: {}", lines[0]);
        }
    };
    let sandbox = Sandbox::new();
    let root = sandbox.path("").canonicalize().unwrap();
    let place = |file: &str| root.join(file).display().to_string();
    let shipped = plugins().canonicalize().unwrap().join("libselfsame_plugin_shapes.so").display().to_string();

    // The current folder comes before the shipped ones.
    place_shapes(&sandbox.path("plugins/liba.so"), 0o755, 0o644);
    let here = format!("{} (current folder)", place("plugins/liba.so"));
    told(&sandbox.run(check).succeeded(), &here, &shipped);
    assert!(sandbox.run("plugins list").succeeded().stdout.contains("ok, but"));
    // What was named comes before all others.
    place_shapes(&sandbox.path("named/libb.so"), 0o755, 0o644);
    let named = format!("{} (--plugins)", place("named/libb.so"));
    told(&sandbox.run(&format!("{check} --plugins named")).succeeded(), &named, &shipped);
    // Two of one folder stay ambiguous.
    std::fs::copy(plugins().join("libselfsame_plugin_shapes.so"), sandbox.path("named/libc.so")).unwrap();
    sandbox.run(&format!("{check} --plugins named")).failed(4, &["libb.so", "libc.so", "remove one"]);
}

#[test]
fn a_plugin_that_others_can_write_to_takes_the_place_of_none_unless_it_is_named() {
    let check = "config check --set dataset.name=shapes";
    for (folder_mode, file_mode, part) in [(0o777, 0o644, "its folder"), (0o755, 0o666, "it can be written by others")]
    {
        let sandbox = Sandbox::new();
        place_shapes(&sandbox.path("plugins/liba.so"), folder_mode, file_mode);
        sandbox.run(check).failed(4, &["plugins/liba.so", part, "libselfsame_plugin_shapes.so", "--plugins"]);
        sandbox.run(&format!("{check} --plugins plugins")).succeeded();
        // It stands in nobody's place here.
        sandbox.run("config check --set dataset.name=CIFAR10").succeeded();
    }
}
