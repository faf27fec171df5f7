import pytest

from shared.errors import ConfigurationError
from shared.settings import PREFIX, Backend, RetrainingBackend, load_settings

SECRET = "AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1"


def test_every_fault_is_told_at_once() -> None:
    environ = {
        "FORESCALE_BACKEND": "gcp",
        "FORESCALE_CONTAINER": "No Such Container!",
        "FORESCALE_SHEDULE": "0 * * * * *",
        "FORESCALE_ARM_ENDPOINT": "ftp://arm",
    }

    with pytest.raises(ConfigurationError) as raised:
        load_settings(environ)

    message = str(raised.value)
    assert "FORESCALE_BACKEND is 'gcp'" in message
    assert "FORESCALE_CONTAINER is 'No Such Container!'" in message
    assert "FORESCALE_SHEDULE is not known, did you mean 'FORESCALE_SCHEDULE'?" in message
    assert "FORESCALE_ARM_ENDPOINT is 'ftp://arm'" in message


def test_a_name_near_no_other_gets_no_hint() -> None:
    with pytest.raises(ConfigurationError, match=r"FORESCALE_QQQQQQ is not known$"):
        load_settings({"FORESCALE_BACKEND": "local", "FORESCALE_QQQQQQ": "1"})


def test_an_empty_value_counts_as_not_set() -> None:
    settings = load_settings({"FORESCALE_BACKEND": "local", "FORESCALE_SCHEDULE": "", "FORESCALE_UNKNOWN": ""})

    assert settings.schedule == "0 */5 * * * *"


def test_names_of_others_are_left_alone() -> None:
    settings = load_settings({"FORESCALE_BACKEND": "local", "AzureWebJobsStorage": "x", "PATH": "/bin"})

    assert settings.backend is Backend.LOCAL


def test_the_environment_is_read_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORESCALE_BACKEND", "local")
    monkeypatch.setenv("FORESCALE_CONTAINER", "elsewhere")

    assert load_settings().container == "elsewhere"


@pytest.mark.parametrize(
    "storage",
    [
        pytest.param({}, id="neither"),
        pytest.param(
            {
                "FORESCALE_STORAGE_ACCOUNT_URL": "https://a.blob.core.windows.net",
                "FORESCALE_STORAGE_CONNECTION_STRING": SECRET,
            },
            id="both",
        ),
    ],
)
def test_azure_needs_exactly_one_way_to_its_storage(storage: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="exactly one of FORESCALE_STORAGE_ACCOUNT_URL") as raised:
        load_settings(storage)

    assert "c2VjcmV0" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    ["STORAGE_ACCOUNT_URL", "CONTAINER", "ARM_ENDPOINT", "BACKEND"],
)
def test_a_secret_under_a_wrong_name_is_not_shown(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{PREFIX}{name}") as raised:
        load_settings({PREFIX + name: SECRET})

    assert "c2VjcmV0" not in str(raised.value)


def test_a_secret_does_not_show_in_the_settings_own_text() -> None:
    settings = load_settings({"FORESCALE_STORAGE_CONNECTION_STRING": SECRET})

    assert "c2VjcmV0" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_settings({"FORESCALE_BACKEND": "x" * 5000})

    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"FORESCALE_BACKEND": "local"}, RetrainingBackend.PROCESS, id="local, unset"),
        pytest.param(
            {"FORESCALE_BACKEND": "local", "FORESCALE_RETRAINING_BACKEND": "none"},
            RetrainingBackend.NONE,
            id="local, switched off",
        ),
        pytest.param(
            {"FORESCALE_STORAGE_ACCOUNT_URL": "https://a.blob.core.windows.net"}, RetrainingBackend.NONE, id="Azure"
        ),
        pytest.param(
            {
                "FORESCALE_STORAGE_ACCOUNT_URL": "https://a.blob.core.windows.net",
                "FORESCALE_RETRAINING_BACKEND": "azureml_jobs",
            },
            RetrainingBackend.AZUREML_JOBS,
            id="Azure ML",
        ),
    ],
)
def test_what_retrains_is_the_setting_or_else_what_the_backend_brings(
    environ: dict[str, str], expected: RetrainingBackend
) -> None:
    assert load_settings(environ).retraining is expected
