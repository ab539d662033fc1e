/* Stands in for python.exe, and starts cmd.exe with a command line that is given to the letter.

   Wine can start a program of Unix, but neither waits for it nor learns its exit code, so the file that
   is called python.exe has to be a program of Windows. As python.exe (or under any other name) it

   - adds its own path, folder, words and environment to the file STAND_IN_RECORD;
   - asked with -c whether it is a Python that can be used, answers with the exit code STAND_IN_CHECK;
   - else starts the Unix program STAND_IN_BRIDGE with the same words, when one is given, and waits until
     that has written its exit code to the file STAND_IN_RESULT;
   - else ends with the exit code STAND_IN_EXIT.

   As start.exe it runs the command line in the file STAND_IN_LINE (UTF-16) and hands on its exit code. The
   cmd.exe of Windows tells its command line as CMDCMDLINE, wine's does not: with STAND_IN_TELLS_LINE set
   it is told here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <shellapi.h>

#define LONGEST 32767

static WCHAR *variable(const WCHAR *name)
{
    static WCHAR value[8][LONGEST];
    static int next;
    WCHAR *room = value[next++ % 8];
    DWORD length = GetEnvironmentVariableW(name, room, LONGEST);
    return length > 0 && length < LONGEST ? room : NULL;
}

static int number(const WCHAR *name)
{
    WCHAR *text = variable(name);
    return text ? _wtoi(text) : 0;
}

static void line(FILE *file, const char *kind, const WCHAR *text)
{
    static char bytes[3 * LONGEST];
    WideCharToMultiByte(CP_UTF8, 0, text, -1, bytes, sizeof bytes, NULL, NULL);
    fprintf(file, "%s %s\n", kind, bytes);
}

static void record(int count, WCHAR **words)
{
    WCHAR path[LONGEST], *place = variable(L"STAND_IN_RECORD"), *next;
    FILE *file = place ? _wfopen(place, L"ab") : NULL;
    int index;
    if (!file)
        return;
    GetModuleFileNameW(NULL, path, LONGEST);
    line(file, "program", path);
    GetCurrentDirectoryW(LONGEST, path);
    line(file, "folder", path);
    for (index = 1; index < count; index++)
        line(file, "word", words[index]);
    for (next = GetEnvironmentStringsW(); *next; next += wcslen(next) + 1)
        line(file, "variable", next);
    fprintf(file, "end\n");
    fclose(file);
}

/* Run a command line. Return its exit code, or -1 when it cannot be started. */
static int run(const WCHAR *program, WCHAR *words, int waits)
{
    STARTUPINFOW start = {sizeof start};
    PROCESS_INFORMATION process;
    DWORD code = 0;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(program, words, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return -1;
    if (waits) {
        WaitForSingleObject(process.hProcess, INFINITE);
        GetExitCodeProcess(process.hProcess, &code);
    }
    return (int)code;
}

static int start_line(void)
{
    static WCHAR text[LONGEST];
    FILE *file = _wfopen(variable(L"STAND_IN_LINE"), L"rb");
    if (!file)
        return 120;
    fread(text, sizeof(WCHAR), LONGEST - 1, file);
    fclose(file);
    if (variable(L"STAND_IN_TELLS_LINE"))
        SetEnvironmentVariableW(L"CMDCMDLINE", text);
    return run(NULL, text, 1);
}

static int bridge(WCHAR *program)
{
    WCHAR *result = variable(L"STAND_IN_RESULT");
    FILE *file;
    int code = 121;
    DeleteFileW(result);
    if (run(program, GetCommandLineW(), 0) == -1)
        return 122;
    while (!(file = _wfopen(result, L"rb")))
        Sleep(10);
    fscanf(file, "%d", &code);
    fclose(file);
    return code;
}

int main(void)
{
    int count;
    WCHAR **words = CommandLineToArgvW(GetCommandLineW(), &count), own[LONGEST], *unix_program;
    GetModuleFileNameW(NULL, own, LONGEST);
    if (!_wcsicmp(wcsrchr(own, L'\\'), L"\\start.exe"))
        return start_line();
    record(count, words);
    if (count > 1 && (!wcscmp(words[1], L"-c") || (count > 2 && !wcscmp(words[2], L"-c"))))
        return number(L"STAND_IN_CHECK");
    unix_program = variable(L"STAND_IN_BRIDGE");
    return unix_program ? bridge(unix_program) : number(L"STAND_IN_EXIT");
}
