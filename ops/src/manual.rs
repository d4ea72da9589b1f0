//! `completions` and `man`: what a shell and `man` know of the program, made from its own words.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde::Serialize;

use crate::cli::Cli;
use crate::console::Console;
use crate::trouble::Trouble;

/// `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page for each command into this folder. Default: the page of the program, to the
    /// output.
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
}

/// The answer of `man --to`.
#[derive(Debug, Serialize)]
struct Written {
    folder: String,
    pages: Vec<String>,
}

/// Prints the script that completes commands and options.
pub fn completions(verb: &Completions, console: &mut Console) -> Result<(), Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut Cli::command(), "passerelle", &mut script);
    console.text(&script)
}

/// Prints the page of the program, or writes those of all commands.
pub fn man(verb: &Man, console: &mut Console) -> Result<(), Trouble> {
    let Some(folder) = &verb.to else {
        let mut page = Vec::new();
        let made = clap_mangen::Man::new(Cli::command()).render(&mut page);
        made.map_err(Trouble::output)?;
        return console.text(&page);
    };
    let pages = pages(folder).map_err(|error| Trouble::Failed(format!("{}: {error}", folder.display())))?;
    let written = Written {
        folder: folder.display().to_string(),
        pages,
    };
    console.answer(&written, |written| {
        format!("{} pages are in {}.", written.pages.len(), written.folder)
    })
}

/// The names of the pages that are in the folder now.
fn pages(folder: &Path) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        pages.push(entry?.file_name().to_string_lossy().into_owned());
    }
    pages.retain(|name| name.starts_with("passerelle"));
    pages.sort();
    Ok(pages)
}
