"""What goes over the wire, under the names of the definition's DTOs. They say what to write and what to expect; nothing is checked by them.

An answer may lack any field, and any may be null, though the types tell only what it holds else: read it with `get`. Moments and keys are
texts, as JSON has them. Where servers differ from the definition, these follow the servers, and a comment says so.
"""

from typing import Any, Literal, Required, TypedDict

TaskType = Literal[
    "FormTask", "ExternalTask", "DocumentValidationTask", "DocumentClassificationTask", "DataLabelingTask", "AppTask"
]
TaskPriority = Literal["Low", "Medium", "High", "Critical"]
AssignmentCriteria = Literal["SingleUser", "Workload", "AllUsers", "Hierarchy", "RoundRobin"]
"""RoundRobin is not in the definition; UiPath's own SDKs send it."""

TaskStatus = Literal["Unassigned", "Pending", "Completed"]
ActivityType = Literal[
    "Created",
    "Assigned",
    "Reassigned",
    "Unassigned",
    "Saved",
    "Forwarded",
    "Completed",
    "Commented",
    "Deleted",
    "BulkSaved",
    "BulkCompleted",
    "FirstOpened",
]
RetentionAction = Literal["Delete", "Archive", "None"]


class TagDto(TypedDict, total=False):
    """A label. Each text to 256 characters."""

    Name: Required[str]
    DisplayName: str
    Value: str
    DisplayValue: str


class TaskSourceDto(TypedDict, total=False):
    """Who asked for a task."""

    sourceName: Literal["Agent", "Workflow", "Maestro", "Default"]
    sourceId: str
    taskSourceMetadata: dict[str, Any]


# -- requests: /tasks/GenericTasks -------------------------------------------------------------------------------------------------


class TaskCreateRequest(TypedDict, total=False):
    """A new task."""

    title: Required[str]
    type: TaskType
    priority: TaskPriority
    data: dict[str, Any]
    taskCatalogName: str
    externalTag: str
    tags: list[TagDto]
    parentOperationId: str
    taskSource: TaskSourceDto


class DocumentValidationData(TypedDict, total=False):
    """The `data` of a document validation task, as the guide has it. The paths are of zips in the bucket."""

    BucketId: Required[int]
    DocumentId: Required[str]
    DocumentPath: Required[str]
    EncodedDocumentPath: str
    TextPath: str
    DocumentObjectModelPath: str
    TaxonomyPath: str
    AutomaticExtractionResultsPath: str
    ValidatedExtractionResultsPath: str
    Version: str


class TaskAssignmentRequest(TypedDict, total=False):
    """Whose a task becomes: a user by number or by name or e-mail (the number counts), or several by a criterion."""

    TaskId: Required[int]
    UserId: int
    UserNameOrEmail: str
    AssignmentCriteria: AssignmentCriteria
    AssigneeNamesOrEmails: list[str]
    AssigneeUserIds: list[int]


class TaskSaveAndReassignmentRequest(TaskAssignmentRequest, total=False):
    """The same, with the data to save and a note to leave."""

    SaveData: bool
    Data: dict[str, Any]
    NoteText: str


# -- requests: /odata --------------------------------------------------------------------------------------------------------------


class EditTaskMetadataRequest(TypedDict, total=False):
    """What of a task to change; what is not named stays."""

    TaskId: Required[int]
    Title: str
    TaskCatalogId: int
    UnsetTaskCatalog: bool
    Priority: TaskPriority
    NoteText: str


class TaskCatalogRequest(TypedDict, total=False):
    """A catalog to make or to change. Retention is told in days, 1 to 180; archiving needs a bucket."""

    Name: Required[str]
    Description: str
    Encrypted: bool
    Tags: list[TagDto]
    RetentionAction: RetentionAction
    RetentionPeriod: int
    RetentionBucketId: int


class TaskCatalogFoldersShareDto(TypedDict, total=False):
    """Which catalogs to share with which folders, and to take from which."""

    TaskCatalogIds: Required[list[int]]
    ToAddFolderIds: list[int]
    ToRemoveFolderIds: list[int]


class WebhookEventDto(TypedDict):
    """A kind of event that a webhook subscribes to: `task.completed`."""

    EventType: str


class _WebhookSettings(TypedDict, total=False):
    Description: str
    Secret: str
    Events: list[WebhookEventDto]


class WebhookRequest(_WebhookSettings):
    """A webhook to make."""

    Name: str
    Url: str
    Enabled: bool
    SubscribeToAllEvents: bool
    AllowInsecureSsl: bool


class WebhookChanges(_WebhookSettings, total=False):
    """What of a webhook to change."""

    Name: str
    Url: str
    Enabled: bool
    SubscribeToAllEvents: bool
    AllowInsecureSsl: bool


# -- answers: /tasks/GenericTasks --------------------------------------------------------------------------------------------------


class TaskUser(TypedDict, total=False):
    """The definition's UserLoginInfoDto as `/tasks` spells it."""

    name: str
    surname: str
    userName: str
    emailAddress: str
    displayName: str
    id: int


class TaskDataDto(TypedDict, total=False):
    """A task with its data."""

    id: Required[int]
    key: str
    status: int  # the definition says a name; servers answer 0 Unassigned, 1 Pending, 2 Completed
    title: str
    type: TaskType
    priority: TaskPriority
    data: dict[str, Any]
    action: str
    tags: list[dict[str, Any]]
    externalTag: str
    parentOperationId: str
    organizationUnitId: int
    organizationUnitFullyQualifiedName: str
    assignedToUser: TaskUser
    assignedToUserId: int
    taskAssignmentCriteria: AssignmentCriteria
    taskAssignees: list[TaskUser]
    completedByUser: TaskUser
    isCurrentUserInAllUserAssignedGroup: bool
    taskSource: TaskSourceDto
    taskSlaDetails: list[dict[str, Any]]
    processingTime: int
    creatorJobKey: str
    waitJobKey: str
    waitJobState: str
    lastAssignedTime: str
    completionTime: str
    isDeleted: bool
    deleterUserId: int
    deletionTime: str
    lastModificationTime: str
    lastModifierUserId: int
    creationTime: str
    creatorUserId: int


# -- answers: /odata ---------------------------------------------------------------------------------------------------------------


class UserLoginInfoDto(TypedDict, total=False):
    """A user. The definition spells it in camelCase; the guide's answer, and every other under `/odata`, in PascalCase."""

    Id: int
    Name: str
    Surname: str
    UserName: str
    EmailAddress: str
    DisplayName: str


class TaskDto(TypedDict, total=False):
    """A task without its data."""

    Id: int
    Key: str
    Status: TaskStatus
    Title: str
    Type: TaskType
    Priority: TaskPriority
    Action: str
    IsCompleted: bool
    TaskCatalogName: str
    Tags: list[TagDto]
    ExternalTag: str
    ParentOperationId: str
    OrganizationUnitId: int
    AssignedToUser: UserLoginInfoDto
    AssignedToUserId: int
    TaskAssigneeName: str
    TaskAssignmentCriteria: AssignmentCriteria
    TaskAssignments: list[dict[str, Any]]
    CreatorUser: UserLoginInfoDto
    LastModifierUser: UserLoginInfoDto
    BulkFormLayoutId: int
    FormLayoutId: int
    Encrypted: bool
    Activities: list[dict[str, Any]]
    TaskSlaDetail: dict[str, Any]
    CreatorJobKey: str
    WaitJobKey: str
    LastAssignedTime: str
    CompletionTime: str
    IsDeleted: bool
    DeleterUserId: int
    DeletionTime: str
    LastModificationTime: str
    LastModifierUserId: int
    CreationTime: str
    CreatorUserId: int


class TaskOperationErrorResponse(TypedDict, total=False):
    """Why one task of several was left as it was."""

    TaskId: int
    UserId: int | None
    ErrorCode: int
    ErrorMessage: str
    UserNameOrEmail: str


class PermissionDto(TypedDict, total=False):
    """A permission, and whether the account has it."""

    Id: int
    Name: str
    IsGranted: bool
    RoleId: int
    Scope: Literal["Global", "Folder", "GlobalOrFolder"]


class TaskCatalogDto(TypedDict, total=False):
    """A task catalog."""

    Id: int
    Key: str
    Name: str
    Description: str
    CreationTime: str
    LastModificationTime: str
    FoldersCount: int
    Encrypted: bool
    Tags: list[TagDto]
    RetentionAction: RetentionAction
    RetentionPeriod: int
    RetentionBucketId: int
    RetentionBucketName: str


class SimpleFolderDto(TypedDict, total=False):
    """A folder by its names."""

    Id: int
    DisplayName: str
    FullyQualifiedName: str


class AccessibleFoldersDto(TypedDict, total=False):
    """Folders that share a catalog: those that the account sees, and the count of all."""

    AccessibleFolders: list[SimpleFolderDto]
    TotalFoldersCount: int


class TaskCatalogExtendedDetailsDto(TypedDict, total=False):
    """What hangs on a catalog."""

    AssociatedTasksCount: int
    IsEncrypted: bool
    TotalFolderCount: int
    Key: str


class TaskNoteDto(TypedDict, total=False):
    """A note under a task."""

    Id: int
    Key: str
    TaskId: int
    Text: str
    TenantId: int
    OrganizationUnitId: int
    CreatorUser: UserLoginInfoDto
    LastModifierUser: UserLoginInfoDto
    CreatorUserId: int
    CreationTime: str


class TaskActivityDto(TypedDict, total=False):
    """Something that happened to a task."""

    Id: int
    Key: str
    ActivityType: ActivityType
    TaskId: int
    TaskKey: str
    TenantId: int
    OrganizationUnitId: int
    CreatorUser: UserLoginInfoDto
    CreatorUserId: int
    TargetUser: UserLoginInfoDto
    TargetUserId: int
    Task: TaskDto
    TaskNote: TaskNoteDto
    TaskNoteId: int
    CreationTime: str


class FolderDto(TypedDict, total=False):
    """A folder."""

    Id: int
    Key: str
    DisplayName: str
    FullyQualifiedName: str
    Description: str
    FolderType: Literal["Standard", "Personal", "Virtual", "Solution", "DebugSolution"]
    IsPersonal: bool
    ProvisionType: Literal["Manual", "Automatic"]
    PermissionModel: Literal["InheritFromTenant", "FineGrained"]
    ParentId: int
    ParentKey: str
    FeedType: Literal["Undefined", "Processes", "Libraries", "PersonalWorkspace", "FolderHierarchy"]


class PathAwareFolderDto(FolderDto, total=False):
    """A folder with its path."""

    FolderPath: str


class WebhookDto(TypedDict, total=False):
    """A webhook."""

    Id: int
    Key: str
    Name: str
    Description: str
    Url: str
    Enabled: bool
    Secret: str
    SubscribeToAllEvents: bool
    AllowInsecureSsl: bool
    Events: list[WebhookEventDto]


class WebhookEventTypeDto(TypedDict, total=False):
    """A kind of event that there is."""

    Name: str
    Group: str


class PingEventDto(TypedDict, total=False):
    """An event that was sent."""

    Type: str
    EventId: str
    EntityKey: str
    Timestamp: str
    EventTime: str
    EventSourceId: int
    TenantId: int
    OrganizationUnitId: int
    OrganizationUnitKey: str
    UserKey: str
    UserId: int


class CustomEventDto(PingEventDto, total=False):
    """An event of one's own that was sent."""

    EventData: dict[str, Any]
