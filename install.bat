@echo off
rem Installs the accelerated overlay into DeepFaceLab. Double-click this file, drop the DeepFaceLab folder
rem on it, or in a console:  install.bat "C:\DeepFaceLab folder" [--dry-run] [--yes] [--verify] [--uninstall]
rem It only finds the folder and its Python; install.py, beside this file, does the work.
rem With the variable DFL_ACCEL_NO_PAUSE set it ends without waiting for a key.

rem Paths are expanded only between quotes and without delayed expansion: then no sign in them is special.
setlocal EnableExtensions DisableDelayedExpansion
set "DFL_ACCEL_HERE=%~dp0"
set "DFL_ACCEL_SELF=%~f0"
set "DFL_ACCEL_CALLER=%CD%"
set "DFL_ACCEL_CODE=1"
for %%V in (TARGET WORDS CUT INTERNAL PYTHON PYTHON_WORD) do set "DFL_ACCEL_%%V="
if not exist "%DFL_ACCEL_HERE%install.py" goto not_unpacked

rem Explorer does not quote a dropped path without spaces, so a sign such as "&" cuts the first word short.
rem The whole of it is in the line that cmd.exe was started with, if that was started for this file.
setlocal EnableDelayedExpansion
set "DFL_ACCEL_LINE=!CMDCMDLINE!"
if not defined DFL_ACCEL_LINE goto typed
set "DFL_ACCEL_REST=!DFL_ACCEL_LINE:*.bat" =!"
set "DFL_ACCEL_LINE=!DFL_ACCEL_LINE:*/c =!"
set "DFL_ACCEL_OURS=""!DFL_ACCEL_SELF!" !DFL_ACCEL_REST!"
if /i not "!DFL_ACCEL_LINE!"=="!DFL_ACCEL_OURS!" goto typed
set "DFL_ACCEL_REST=!DFL_ACCEL_REST:~0,-1!"
if not defined DFL_ACCEL_REST goto typed
set "DFL_ACCEL_SIGN=!DFL_ACCEL_REST:~0,1!"
set "DFL_ACCEL_SIGN=!DFL_ACCEL_SIGN:"=-!"
if "!DFL_ACCEL_SIGN!"=="-" goto typed
for /f "tokens=1*" %%A in ("!DFL_ACCEL_REST!") do endlocal & set "DFL_ACCEL_TARGET=%%A" & set "DFL_ACCEL_WORDS=%%B"
if not defined DFL_ACCEL_TARGET goto typed
if "%DFL_ACCEL_TARGET%"=="%~1" goto whole
if not exist "%DFL_ACCEL_TARGET%" goto whole
set "DFL_ACCEL_CUT=1"
goto enter

:typed
endlocal
:whole
set "DFL_ACCEL_TARGET="
set "DFL_ACCEL_WORDS="
set "DFL_ACCEL_SIGN=%~1"
if not defined DFL_ACCEL_SIGN goto search
if "%DFL_ACCEL_SIGN:~0,1%"=="-" goto words
set "DFL_ACCEL_TARGET=%~1"
shift
:words
if "%~1"=="" goto search
set DFL_ACCEL_WORDS=%DFL_ACCEL_WORDS% %1
shift
goto words

:search
if defined DFL_ACCEL_TARGET goto enter
if exist "%DFL_ACCEL_HERE%..\..\_internal\DeepFaceLab\main.py" set "DFL_ACCEL_TARGET=%DFL_ACCEL_HERE%..\.."
if exist "%DFL_ACCEL_HERE%..\_internal\DeepFaceLab\main.py" set "DFL_ACCEL_TARGET=%DFL_ACCEL_HERE%.."
if exist "%DFL_ACCEL_HERE%_internal\DeepFaceLab\main.py" set "DFL_ACCEL_TARGET=%DFL_ACCEL_HERE%."
if not defined DFL_ACCEL_TARGET if "%DFL_ACCEL_SIGN%"=="--help" set "DFL_ACCEL_TARGET=%DFL_ACCEL_HERE%."
if defined DFL_ACCEL_TARGET goto enter
set /p "DFL_ACCEL_TARGET=Drag the DeepFaceLab folder onto this window and press Enter: "
if defined DFL_ACCEL_TARGET set "DFL_ACCEL_TARGET=%DFL_ACCEL_TARGET:"=%"
if defined DFL_ACCEL_TARGET goto enter
echo.
echo No folder was given. Nothing was changed.
goto end

rem Inside the folder every path is a short relative one; of a dropped file its folder is meant.
:enter
if exist "%DFL_ACCEL_TARGET%" if not exist "%DFL_ACCEL_TARGET%\*" set "DFL_ACCEL_TARGET=%DFL_ACCEL_TARGET%\.."
pushd "%DFL_ACCEL_TARGET%" 2>nul
if not errorlevel 1 goto inside
echo There is no folder "%DFL_ACCEL_TARGET%". Nothing was changed.
goto end

:inside
for %%F in (.. . _internal) do if exist "%%F\DeepFaceLab\main.py" set "DFL_ACCEL_INTERNAL=%%F"
if not defined DFL_ACCEL_INTERNAL goto own_python
rem The Python and the settings of the build's own .bat files. Their setenv.bat cannot stand an "&".
setlocal
set "PYTHON_EXECUTABLE="
if "%CD:&=%"=="%CD%" if exist "%DFL_ACCEL_INTERNAL%\setenv.bat" call "%DFL_ACCEL_INTERNAL%\setenv.bat" >nul 2>nul
set "DFL_ACCEL_PYTHON=%PYTHON_EXECUTABLE%"
if exist "%DFL_ACCEL_PYTHON%" goto run
endlocal
set "PYTHONHOME="
set "PYTHONPATH="
for /d %%P in (%DFL_ACCEL_INTERNAL%\python*) do if exist "%%P\python.exe" set "DFL_ACCEL_PYTHON=%%P\python.exe"
if defined DFL_ACCEL_PYTHON goto run

rem Any Python 3.6 or newer can run install.py. The python.exe that only opens the Store fails this check.
:own_python
set "DFL_ACCEL_CHECK=import sys; sys.exit(sys.version_info < (3, 6))"
set "DFL_ACCEL_PYTHON=py.exe"
set "DFL_ACCEL_PYTHON_WORD=-3"
py.exe -3 -c "%DFL_ACCEL_CHECK%" <nul >nul 2>nul
if "%ERRORLEVEL%"=="0" goto run
set "DFL_ACCEL_PYTHON_WORD="
set "DFL_ACCEL_PYTHON=python.exe"
python.exe -c "%DFL_ACCEL_CHECK%" <nul >nul 2>nul
if "%ERRORLEVEL%"=="0" goto run
set "DFL_ACCEL_PYTHON=python3.exe"
python3.exe -c "%DFL_ACCEL_CHECK%" <nul >nul 2>nul
if "%ERRORLEVEL%"=="0" goto run
echo No Python was found. Drop the folder of DeepFaceLab that holds "_internal" on install.bat,
echo or install Python 3.6 or newer from python.org and start install.bat again. Nothing was changed.
goto leave

:run
if defined DFL_ACCEL_CUT goto run_cut
"%DFL_ACCEL_PYTHON%" %DFL_ACCEL_PYTHON_WORD% "%DFL_ACCEL_HERE%install.py" . %DFL_ACCEL_WORDS%
set "DFL_ACCEL_CODE=%ERRORLEVEL%"
goto leave

rem Here the words are text as Explorer made it, whose signs must mean nothing: expanded last, they do not.
:run_cut
setlocal EnableDelayedExpansion
"!DFL_ACCEL_PYTHON!" !DFL_ACCEL_PYTHON_WORD! "!DFL_ACCEL_HERE!install.py" . !DFL_ACCEL_WORDS!
set "DFL_ACCEL_CODE=!ERRORLEVEL!"

:leave
popd
goto end

:not_unpacked
echo install.py is not beside install.bat. Unpack the whole archive, then start install.bat in that folder.

:end
if not defined DFL_ACCEL_NO_PAUSE pause
rem After a cut word cmd.exe would go on with the rest of its line: end it too.
if defined DFL_ACCEL_CUT exit %DFL_ACCEL_CODE%
exit /b %DFL_ACCEL_CODE%
