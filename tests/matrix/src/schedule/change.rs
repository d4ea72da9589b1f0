//! What people do. A number picks among the rows that there are by then.

use std::fmt;

/// One thing that people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A project is created, for one of the clients.
    CreateProject { client: usize },
    /// A project gets another name.
    RenameProject(usize),
    /// A project gets another status, by the number of the status.
    SetStatus(usize, usize),
    /// A project goes to another client.
    Relink { project: usize, client: usize },
    /// A project is deleted.
    DeleteProject(usize),
    /// A project that was deleted comes back.
    RestoreProject(usize),
    /// A client gets another name, and so do the pages of its projects.
    RenameClient(usize),
    /// A course gets another title, and so do the texts of its sub-pages.
    RenameCourse(usize),
    /// A course gets one bloc more.
    CreateBloc(usize),
    /// A bloc gets another title.
    RenameBloc(usize),
    /// A bloc is deleted.
    DeleteBloc(usize),
    /// A person is given a course, and gets a mail.
    Assign(usize),
    /// Many long rows come at once; their delivery is larger than a mebibyte.
    Batch {
        rows: usize,
        /// Each so long, in bytes.
        bytes: usize,
    },
    /// A delivery that was answered is sent once more.
    Repeat(usize),
    /// Somebody writes at the end of the page of a project.
    WriteOnPage(usize),
    /// Somebody renames the page of a project, and then changes the row.
    RenamePage(usize),
    /// Somebody puts the page of a project into the trash, and then changes the row.
    TrashPage(usize),
    /// Somebody moves the page of a project below another page, and then changes the row.
    MovePage(usize),
    /// Somebody writes a page of their own.
    OwnPage,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateProject { client } => write!(f, "create a project for client {client}"),
            Self::RenameProject(project) => write!(f, "rename project {project}"),
            Self::SetStatus(project, status) => write!(f, "set the status of project {project} to {status}"),
            Self::Relink { project, client } => write!(f, "give project {project} to client {client}"),
            Self::DeleteProject(project) => write!(f, "delete project {project}"),
            Self::RestoreProject(project) => write!(f, "restore deleted project {project}"),
            Self::RenameClient(client) => write!(f, "rename client {client}"),
            Self::RenameCourse(course) => write!(f, "rename course {course}"),
            Self::CreateBloc(course) => write!(f, "add a bloc to course {course}"),
            Self::RenameBloc(bloc) => write!(f, "rename bloc {bloc}"),
            Self::DeleteBloc(bloc) => write!(f, "delete bloc {bloc}"),
            Self::Assign(person) => write!(f, "give a course to person {person}"),
            Self::Batch { rows, bytes } => write!(f, "create {rows} rows of {bytes} bytes at once"),
            Self::Repeat(delivery) => write!(f, "send answered delivery {delivery} again"),
            Self::WriteOnPage(project) => write!(f, "write on the page of project {project}"),
            Self::RenamePage(project) => write!(f, "rename the page of project {project}, then change the row"),
            Self::TrashPage(project) => write!(f, "trash the page of project {project}, then change the row"),
            Self::MovePage(project) => write!(f, "move the page of project {project}, then change the row"),
            Self::OwnPage => f.write_str("write a page of one's own"),
        }
    }
}
